//! `vipctl rollback`.

use super::Context;
use super::change::{Answer, conclude};
use crate::args::RollbackArgs;
use crate::exit::{Exit, Failure};
use crate::input::Input;
use vipfleet_proto::v1;

pub(super) async fn run(context: &Context, args: &RollbackArgs) -> Result<Exit, Failure> {
    let server = context.connect().await?;
    let request = v1::RollbackRequest {
        to_revision: args.to_revision,
        if_revision: args.change.if_revision,
        author: crate::author::author(),
        message: args.change.message.clone(),
        dry_run: args.change.dry_run,
    };
    let answered = server.client.clone().rollback(request).await.map_err(|status| {
        let failure = server.failure(&status);
        match failure.exit {
            Exit::Failed => failure.remedy("list the revisions with `vipctl history`"),
            _ => failure,
        }
    })?;
    let answer = Answer::try_from(answered.into_inner())?;
    conclude(context, &server, &args.change, answer, Vec::new(), &Input::default()).await
}
