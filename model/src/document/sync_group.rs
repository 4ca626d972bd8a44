//! The spec of a SyncGroup, read field by field. Names are those of [`crate::sync_group`].

use super::fields::{Context, Fields, Spot, list};
use super::instance::hook;
use super::scalar::name;
use crate::sync_group::SyncGroup;

pub(super) fn sync_group(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<SyncGroup> {
    let mut fields = Fields::of(context, spot)?;
    let instances = fields.required(context, "instances", |c, s| list(c, s, name));
    let notify = fields.optional(context, "notify", |c, s| list(c, s, hook));
    fields.finish(context);
    Some(SyncGroup { instances: instances?, notify: notify.flatten().unwrap_or_default() })
}
