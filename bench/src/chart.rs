//! The distributions of the gaps that clients saw, as SVG: a band for each line, a dot for each
//! run, milliseconds on a logarithmic scale with a place of its own for zero. Pure.

use std::fmt::Write;

use crate::line::Subject;
use crate::record::Record;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 90.0;
/// Where gaps of zero are drawn, and where the scale begins.
const ZERO: f64 = 110.0;
const ONE: f64 = 150.0;
const RIGHT: f64 = 830.0;
const TOP: f64 = 46.0;
const BAND: f64 = 46.0;
const DECADES: i32 = 4;

const SHOWN: [(Subject, &str, &str, f64); 2] = [
    (Subject::Keepalived, "keepalived", "#c2571a", 14.0),
    (Subject::Ours, "vipfleet", "#1f6fb2", 32.0),
];

/// A chart of every record in which a client counted gaps.
pub fn svg(records: &[Record]) -> String {
    let of_clients = |record: &&Record| SHOWN.iter().any(|it| !record.gaps(it.0).is_empty());
    let bands: Vec<&Record> = records.iter().filter(of_clients).collect();
    let bottom = TOP + BAND * bands.len() as f64;
    let height = bottom + 40.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    legend(&mut text);
    scale(&mut text, bottom);
    for (index, record) in bands.into_iter().enumerate() {
        band(&mut text, record, TOP + BAND * index as f64);
    }
    text.push_str("</svg>\n");
    text
}

fn legend(text: &mut String) {
    for (index, (_, name, colour, _)) in SHOWN.iter().enumerate() {
        let x = LEFT + 120.0 * index as f64;
        put(text, &format!("<circle cx=\"{x}\" cy=\"20\" r=\"4\" fill=\"{colour}\"/>"));
        put(text, &label(x + 10.0, 24.0, "start", name));
    }
}

fn scale(text: &mut String, bottom: f64) {
    let mut grid = |x: f64, name: &str| {
        let line = format!("<line x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{bottom}\"");
        put(text, &format!("{line} stroke=\"#dddddd\"/>"));
        put(text, &label(x, bottom + 16.0, "middle", name));
    };
    grid(ZERO, "0");
    for decade in 0..=DECADES {
        let milliseconds = 10_f64.powi(decade);
        grid(place(milliseconds), &format!("{milliseconds}"));
    }
    put(text, &label(RIGHT, bottom + 32.0, "end", "longest gap a client saw in a run, ms"));
}

fn band(text: &mut String, record: &Record, top: f64) {
    let line = format!("<line x1=\"0\" y1=\"{top}\" x2=\"{RIGHT}\" y2=\"{top}\"");
    put(text, &format!("{line} stroke=\"#eeeeee\"/>"));
    put(text, &label(10.0, top + BAND / 2.0 + 4.0, "start", &record.id));
    for (subject, name, colour, offset) in SHOWN {
        for gap in record.gaps(subject) {
            let (x, y) = (place(gap), top + offset);
            let dot = format!("<circle cx=\"{x:.1}\" cy=\"{y}\" r=\"4\" fill=\"{colour}\"");
            let title = format!("<title>{} {name} {gap:.0} ms</title>", record.id);
            put(text, &format!("{dot} fill-opacity=\"0.55\">{title}</circle>"));
        }
    }
}

/// Where a gap of so many milliseconds is drawn. Below one, the client asked less often.
fn place(milliseconds: f64) -> f64 {
    if milliseconds < 1.0 {
        return ZERO;
    }
    let share = milliseconds.log10() / f64::from(DECADES);
    ONE + (RIGHT - ONE) * share.min(1.0)
}

fn label(x: f64, y: f64, anchor: &str, words: &str) -> String {
    format!("<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{words}</text>")
}

fn put(text: &mut String, element: &str) {
    writeln!(text, "{element}").expect("a String takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn each_run_is_a_dot_and_each_line_a_band() {
        let mut other = record(&[70.0], &[0.0]);
        other.id = "F5".into();
        let drawn = svg(&[record(&[3358.0, 3400.0], &[2900.0]), other]);
        assert_eq!(drawn.matches("<title>").count(), 5);
        assert_eq!(drawn.matches("<title>F1 keepalived").count(), 2);
        assert!(drawn.contains("<title>F5 vipfleet 0 ms</title>"), "{drawn}");
        assert_eq!(drawn.matches("<text").count(), drawn.matches("</text>").count());
    }

    #[test]
    fn a_line_without_clients_is_not_drawn() {
        let mut silent = record(&[], &[]);
        silent.id = "S1".into();
        assert!(!svg(&[silent]).contains(">S1<"));
    }

    #[test]
    fn the_scale_is_logarithmic_and_ends_at_the_edge() {
        let step = place(100.0) - place(10.0);
        assert!((place(1000.0) - place(100.0) - step).abs() < 1e-9);
        assert_eq!([place(0.0), place(1.0), place(1e4), place(1e6)], [ZERO, ONE, RIGHT, RIGHT]);
    }
}
