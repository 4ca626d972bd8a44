//! One file a command.

mod apply;
mod change;
mod completion;
mod delete;
mod describe;
mod diff;
mod edit;
mod export;
mod get;
mod history;
mod import;
mod moves;
mod rollback;
mod set;
mod status;
mod stream;
mod validate;
mod version;
mod watch;

pub(crate) use self::status::read;

use crate::args::{Arguments, Command, SetArgs, StatusArgs};
use crate::connect::{Endpoints, Server};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use vipfleet_proto::Malformed;

/// What every command has at hand.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// As typed: a command that asks no server does not care.
    servers: String,
    output: Output,
}

impl Context {
    fn endpoints(&self) -> Result<Endpoints, Failure> {
        Endpoints::parse(&self.servers)
    }

    async fn connect(&self) -> Result<Server, Failure> {
        self.endpoints()?.connect().await
    }
}

/// Runs what was typed.
pub(crate) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let output = Output { format: arguments.output };
    let context = &Context { servers: arguments.server, output };
    let command = arguments.command.unwrap_or(Command::Status(StatusArgs::default()));
    match command {
        Command::Status(args) => status::run(context, &args).await,
        Command::Apply(args) => apply::run(context, &args).await,
        Command::Diff(args) => diff::run(context, &args).await,
        Command::Get(args) => get::run(context, &args).await,
        Command::Describe(args) => describe::run(context, &args).await,
        Command::Edit(args) => edit::run(context, &args).await,
        Command::Set(SetArgs { target }) => set::run(context, &target).await,
        Command::Delete(args) => delete::run(context, &args).await,
        Command::History(args) => history::run(context, &args).await,
        Command::Rollback(args) => rollback::run(context, &args).await,
        Command::Switchover(args) => moves::switchover(context, &args).await,
        Command::Drain(args) => moves::drain(context, &args).await,
        Command::Uncordon(args) => moves::uncordon(context, &args).await,
        Command::Watch(args) => watch::run(context, &args).await,
        Command::Import(args) => import::run(context, &args),
        Command::Export(args) => export::run(context, &args).await,
        Command::Validate(args) => validate::run(context, &args),
        Command::Completion(args) => completion::run(&args),
        Command::Version(args) => version::run(context, &args).await,
    }
}

/// What a server said and this vipctl does not understand.
fn malformed(cause: &Malformed) -> Failure {
    Failure::failed("the server's answer makes no sense")
        .because(cause.to_string())
        .remedy("compare the versions: `vipctl version`")
}
