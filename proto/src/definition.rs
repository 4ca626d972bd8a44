//! Definitions of any kind, their keys, and sets of them.

use crate::field::{all, choice, each, mirrored, name, present, repeated};
use crate::malformed::{Malformed, Under};
use crate::v1;
use crate::v1::definition::Spec;
use vipfleet_model::{Definition, Key, Kind, SyncGroup};

mirrored!(Kind, v1::Kind, Check, Instance, SyncGroup, Switchover, Drain);

impl From<Key> for v1::DefinitionKey {
    fn from(Key { kind, name }: Key) -> Self {
        Self { kind: v1::Kind::from(kind).into(), name: name.into() }
    }
}

impl TryFrom<v1::DefinitionKey> for Key {
    type Error = Malformed;

    fn try_from(wire: v1::DefinitionKey) -> Result<Self, Malformed> {
        Ok(Self { kind: choice::<v1::Kind, _>(wire.kind, "kind")?, name: name(wire.name, "name")? })
    }
}

impl From<Definition> for v1::Definition {
    fn from(definition: Definition) -> Self {
        let (name, spec) = match definition {
            Definition::Instance { name, spec } => (name, Spec::Instance((*spec).into())),
            Definition::Check { name, spec } => (name, Spec::Check(spec.into())),
            Definition::SyncGroup { name, spec } => (name, Spec::SyncGroup(spec.into())),
            Definition::Switchover { name, spec } => (name, Spec::Switchover(spec.into())),
            Definition::Drain { name, spec } => (name, Spec::Drain(spec.into())),
        };
        Self { name: name.into(), spec: Some(spec) }
    }
}

impl TryFrom<v1::Definition> for Definition {
    type Error = Malformed;

    fn try_from(wire: v1::Definition) -> Result<Self, Malformed> {
        let name = name(wire.name, "name")?;
        Ok(match present(wire.spec, "spec")? {
            Spec::Instance(instance) => {
                Self::Instance { name, spec: Box::new(instance.try_into().under("instance")?) }
            }
            Spec::Check(check) => Self::Check { name, spec: check.try_into().under("check")? },
            Spec::SyncGroup(group) => {
                Self::SyncGroup { name, spec: group.try_into().under("sync_group")? }
            }
            Spec::Switchover(switchover) => {
                Self::Switchover { name, spec: switchover.try_into().under("switchover")? }
            }
            Spec::Drain(drain) => Self::Drain { name, spec: drain.try_into().under("drain")? },
        })
    }
}

impl From<SyncGroup> for v1::SyncGroup {
    fn from(SyncGroup { instances, notify }: SyncGroup) -> Self {
        Self { instances: all(instances), notify: all(notify) }
    }
}

impl TryFrom<v1::SyncGroup> for SyncGroup {
    type Error = Malformed;

    fn try_from(v1::SyncGroup { instances, notify }: v1::SyncGroup) -> Result<Self, Malformed> {
        Ok(Self {
            instances: each(instances, "instances", |it| name(it, "name"))?,
            notify: repeated(notify, "notify")?,
        })
    }
}
