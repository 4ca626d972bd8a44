//! In the end clients talk to the MASTER: a master that serves but never said so is found by
//! nobody.

use super::Checker;
use crate::world::World;

#[derive(Debug)]
pub(super) struct Reach;

impl Checker for Reach {
    fn name(&self) -> &'static str {
        "reach"
    }

    fn finish(&mut self, world: &World) -> Result<(), String> {
        for instance in 0..world.instances() {
            let mut masters =
                (0..world.hosts.len()).filter(|host| world.is_master(*host, instance));
            // In a partitioned LAN clients have a master each.
            let (Some(master), None) = (masters.next(), masters.next()) else { continue };
            if world.client[instance] != Some(master) {
                let known = world.client[instance]
                    .map_or("nobody".to_owned(), |host| format!("n{}", host + 1));
                return Err(format!(
                    "clients of VI_{} talk to {known}, not to n{}",
                    instance + 1,
                    master + 1
                ));
            }
        }
        Ok(())
    }
}
