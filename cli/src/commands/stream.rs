//! `-w`: a view again whenever it changed. On a terminal it is drawn in place and its ages move;
//! elsewhere what changed is added below; for programs every state is one document.

use super::Context;
use super::status::read;
use crate::connect::{Endpoints, Server};
use crate::exit::{Exit, Failure};
use crate::output::{Output, View, is_terminal, print, say, screen};
use crate::render::status::FleetStatus;
use std::time::Duration;
use tonic::Streaming;
use vipfleet_proto::v1;

/// Ages on a terminal are counted on this often.
const REDRAW: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(500);

/// Follows the fleet, over to another replica when one goes away; ends when nobody reads it any
/// more. `view` makes of each state what is to be shown.
pub(super) async fn follow<V, F>(context: &Context, view: F) -> Result<Exit, Failure>
where
    V: View + PartialEq,
    F: AsyncFn(&Server, FleetStatus) -> Result<V, Failure>,
{
    let endpoints = context.endpoints()?;
    let mut server = endpoints.connect().await?;
    let mut stream = open(&server).await?;
    let mut screen = Screen::new(context.output);
    let mut redraw = tokio::time::interval(REDRAW);
    loop {
        let heard = tokio::select! {
            heard = stream.message() => Some(heard),
            _ = redraw.tick() => None,
        };
        match heard {
            None => screen.redraw()?,
            Some(Ok(Some(state))) => screen.show(view(&server, read(state)?).await?)?,
            Some(Ok(None) | Err(_)) => (server, stream) = reopen(&endpoints).await,
        }
    }
}

async fn open(server: &Server) -> Result<Streaming<v1::StatusResponse>, Failure> {
    let opened = server.client.clone().watch_status(v1::StatusRequest {}).await;
    opened.map(tonic::Response::into_inner).map_err(|status| server.failure(&status))
}

/// Tries until one of the replicas is back; says so once.
async fn reopen(endpoints: &Endpoints) -> (Server, Streaming<v1::StatusResponse>) {
    let mut silent = true;
    loop {
        let opened = async {
            let server = endpoints.connect().await?;
            let stream = open(&server).await?;
            Ok::<_, Failure>((server, stream))
        };
        match opened.await {
            Ok(opened) => return opened,
            Err(failure) => {
                if std::mem::take(&mut silent) {
                    say(&failure.to_string());
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// What stands on the screen.
struct Screen<V> {
    output: Output,
    shown: Option<V>,
    /// Drawn so far, which can be drawn over.
    rows: usize,
}

impl<V: View + PartialEq> Screen<V> {
    fn new(output: Output) -> Self {
        Self { output, shown: None, rows: 0 }
    }

    fn show(&mut self, view: V) -> Result<(), Failure> {
        if self.shown.as_ref() == Some(&view) {
            return Ok(());
        }
        if !self.output.is_for_people() {
            self.output.changed(&view)?;
        } else if is_terminal() {
            self.draw(&view)?;
        } else {
            let look = self.output.look();
            print(&match &self.shown {
                None => view.table(&look),
                Some(before) => view.news(before, &look),
            })?;
        }
        self.shown = Some(view);
        Ok(())
    }

    fn redraw(&mut self) -> Result<(), Failure> {
        match self.shown.take() {
            Some(view) if self.output.is_for_people() && is_terminal() => {
                let drawn = self.draw(&view);
                self.shown = Some(view);
                drawn
            }
            shown => {
                self.shown = shown;
                Ok(())
            }
        }
    }

    /// Draws over what was drawn before: up that many rows, and clear from there.
    fn draw(&mut self, view: &V) -> Result<(), Failure> {
        let (columns, rows) = screen();
        let (table, drawn) = cut(&view.table(&self.output.look()), columns.into(), rows.into());
        let over = match self.rows {
            0 => String::new(),
            rows => format!("\x1b[{rows}A\x1b[J"),
        };
        self.rows = drawn;
        print(&format!("{over}{table}"))
    }
}

/// As much as fits the screen, since nothing above it can be drawn over, and the rows it takes.
fn cut(table: &str, columns: usize, rows: usize) -> (String, usize) {
    let taken = |line: &str| {
        let width = anstream::adapter::strip_str(line).to_string().chars().count();
        width.div_ceil(columns.max(1)).max(1)
    };
    // The last row is the cursor's, the one before it may be needed to say that there is more.
    let most = rows.saturating_sub(2).max(1);
    let mut shown = String::new();
    let mut drawn = 0;
    for (index, line) in table.lines().enumerate() {
        if drawn + taken(line) > most {
            let hidden = table.lines().count() - index;
            shown.push_str(&format!("… and {hidden} more lines\n"));
            return (shown, drawn + 1);
        }
        drawn += taken(line);
        shown.push_str(line);
        shown.push('\n');
    }
    (shown, drawn)
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn what_fits_is_shown_whole_and_long_lines_count_as_the_rows_they_take() {
        assert_eq!(cut("a\nb\n", 80, 24), ("a\nb\n".to_owned(), 2));
        assert_eq!(cut("123456\n", 4, 24), ("123456\n".to_owned(), 2));
        assert_eq!(cut("\x1b[1m1234\x1b[0m\n", 4, 24).1, 1);
    }

    #[test]
    fn what_does_not_fit_is_cut_and_said_to_be() {
        let (shown, drawn) = cut(&"line\n".repeat(100), 80, 10);
        assert_eq!(drawn, 9);
        assert!(shown.ends_with("… and 92 more lines\n"), "{shown}");
    }
}
