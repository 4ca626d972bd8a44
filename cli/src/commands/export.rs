//! `vipctl export keepalived`: a configuration on standard output, findings on standard error.

use super::get::unknown;
use super::status::status;
use super::{Context, malformed};
use crate::args::{ExportArgs, ExportKeepalivedArgs, ExportTarget};
use crate::connect::Server;
use crate::exit::{Exit, Failure};
use crate::output::{print, say};
use crate::render::finding::{self, Texts};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use vipfleet_model::keepalived::{self, ExportOptions, Inexpressible, Origin};
use vipfleet_model::{Definition, Definitions, Findings, Name, NodeFacts};
use vipfleet_proto::v1;

/// For programs.
#[derive(Debug, Serialize)]
struct Exported {
    node: Name,
    revision: u64,
    text: String,
    findings: Findings,
}

pub(super) async fn run(context: &Context, args: &ExportArgs) -> Result<Exit, Failure> {
    match &args.target {
        ExportTarget::Keepalived(args) => keepalived(context, args).await,
    }
}

async fn keepalived(context: &Context, args: &ExportKeepalivedArgs) -> Result<Exit, Failure> {
    let server = context.connect().await?;
    let (definitions, revision) = in_clear(&server).await?;
    let members = definitions.instances().flat_map(|(_, instance)| &instance.members);
    let members = members.map(|member| member.node.to_string()).collect::<BTreeSet<_>>();
    if !members.contains(args.node.as_str()) {
        let known = members.into_iter().collect::<Vec<_>>();
        return Err(unknown("member", args.node.as_str(), &known));
    }
    let options = ExportOptions {
        exec_dir: args.exec_dir.clone(),
        script_user: args.script_user.clone(),
        origin: Some(Origin { fleet: server.version.fleet_id.clone(), revision }),
        inexpressible: match args.leave_out {
            true => Inexpressible::LeaveOut,
            false => Inexpressible::Refuse,
        },
    };
    let exported = keepalived::export(&definitions, &facts(&server).await?, &args.node, &options);
    let (text, findings) = match exported {
        Ok((text, findings)) => (Some(text), findings),
        Err(findings) => (None, findings),
    };
    say(&finding::findings(&findings, &Texts::default()));
    let Some(text) = text else { return Err(refused(&findings)) };
    if context.output.is_for_people() {
        print(&text)?;
    } else {
        let node = args.node.clone();
        let names = || vec![args.node.to_string()];
        context.output.outcome(&Exported { node, revision, text, findings }, names)?;
    }
    Ok(Exit::Done)
}

fn refused(findings: &Findings) -> Failure {
    let failure = Failure::refused("there is no keepalived.conf that means the same");
    let may_be_left_out =
        |findings: &Findings| findings.iter().any(|finding| finding.rule == "not-in-keepalived");
    match may_be_left_out(findings) {
        true => {
            failure.remedy("checks and hooks that it has no word for may be left out: --leave-out")
        }
        false => failure.remedy("mend what the findings name"),
    }
}

/// Every definition with its passwords, which the file needs, and the revision they are of.
async fn in_clear(server: &Server) -> Result<(Definitions, u64), Failure> {
    let request = v1::GetRequest { keys: Vec::new(), reveal_secrets: true };
    let answered = server.client.clone().get(request).await;
    let answered = answered.map_err(|status| server.failure(&status))?.into_inner();
    let definitions = answered.definitions.into_iter().filter_map(|stored| stored.definition);
    let definitions = definitions.map(Definition::try_from).collect::<Result<_, _>>();
    Ok((definitions.map_err(|it| malformed(&it))?, answered.revision))
}

/// What the nodes say of their interfaces, for the addresses of unicast peers.
async fn facts(server: &Server) -> Result<BTreeMap<Name, NodeFacts>, Failure> {
    let nodes = status(server).await?.nodes.into_iter();
    let facts = nodes.map(|it| NodeFacts { node: it.name, interfaces: it.interfaces });
    Ok(facts.map(|facts| (facts.node.clone(), facts)).collect())
}
