//! `vipctl history`.

use super::Context;
use super::get::history;
use crate::args::HistoryArgs;
use crate::exit::{Exit, Failure};
use crate::output::print;
use crate::render::change::Change;
use crate::render::list::{List, Listed as _};
use crate::render::table::Tone;
use vipfleet_model::{Key, Name};
use vipfleet_proto::v1;

pub(super) async fn run(context: &Context, args: &HistoryArgs) -> Result<Exit, Failure> {
    let key = match (args.kind, &args.name) {
        (Some(kind), Some(name)) => {
            let name = name.parse::<Name>();
            let name = name.map_err(|cause| Failure::usage(cause.to_string()))?;
            Some(Key { kind: kind.into(), name })
        }
        _ => None,
    };
    let server = context.connect().await?;
    let request =
        v1::HistoryRequest { key: key.clone().map(Into::into), limit: args.limit, before: 0 };
    let mut items = history(&server, request).await?;
    if let Some(key) = &key {
        for revision in &mut items {
            revision.details.retain(|change| change.key == *key);
        }
    }
    let list = List { items };
    context.output.show(&list)?;
    if args.diff && context.output.is_for_people() {
        for revision in &list.items {
            let title = format!("revision {} by {}", revision.name(), revision.author);
            let diff = revision.details.iter().map(Change::diff).collect::<String>();
            print(&format!("\n{}\n{diff}", Tone::Strong.paint(&title)))?;
        }
    }
    Ok(Exit::Done)
}
