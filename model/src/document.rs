//! Definitions as text: YAML or JSON, `kind` + `name` + `spec`, several documents a file.
//!
//! [`parse`] notes every finding of every document and never panics; each definition remembers
//! where its parts stand, so that a later finding about `spec.members[0].priority` points at a
//! line and column ([`locate`]). [`to_yaml`] and [`to_json`] write what [`parse`] reads back
//! equal. Absent: whether definitions make sense together ([`crate::validate`]), and reading
//! files.

mod check;
mod fields;
mod hmac;
mod instance;
mod places;
mod routing;
mod scalar;
mod sync_group;
mod tree;

use crate::definition::{Definition, Key, Kind};
use crate::finding::{Finding, Findings, Place};
use crate::validate::validate_input;
use fields::{Context, Fields, Spot, closest};
use std::collections::HashMap;
use tree::{Node, Trouble, Value};

pub use places::Placed;

/// Longest text that is read; ten thousand instances take about a fifth of it.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Findings after which [`parse`] reads no further.
pub const MAX_FINDINGS: usize = 1_000;

/// What a text holds.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// Those that could be read, in the order of the text; no key twice.
    pub definitions: Vec<Placed<Definition>>,
    /// Those with a finding below, as far as they could be read: good for more findings
    /// ([`Parsed::judge`]) and nothing else.
    pub drafts: Vec<Placed<Definition>>,
    pub findings: Findings,
}

impl Parsed {
    /// One input of several files: their findings, and a finding for a key that two of them hold.
    pub fn merge(files: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        let mut seen = HashMap::new();
        for file in files {
            all.findings.append(file.findings);
            all.drafts.extend(file.drafts);
            for definition in file.definitions {
                all.take(&mut seen, definition);
            }
        }
        all
    }

    /// Every finding that can be said without the fleet: those of reading, and what
    /// [`validate_input`] says of all that could be read. What reading has complained about is
    /// not judged a second time by what stands in for it.
    pub fn judge(&self) -> Findings {
        let read = self.definitions.iter().chain(&self.drafts);
        let read = read.cloned().collect::<Vec<_>>();
        let definitions = read.iter().map(|placed| placed.value.clone()).collect();
        let mut judged = validate_input(&definitions);
        judged.0.retain(|finding| !self.complained_about(&finding.place));
        locate(&mut judged, &read);
        let mut all = self.findings.clone();
        all.append(judged);
        all
    }

    fn complained_about(&self, place: &Place) -> bool {
        let path = place.path.as_deref().unwrap_or_default();
        self.findings.iter().any(|finding| {
            let other = finding.place.path.as_deref().unwrap_or_default();
            finding.place.document == place.document
                && (other.starts_with(path) || path.starts_with(other))
        })
    }

    fn take(&mut self, seen: &mut HashMap<Key, Place>, definition: Placed<Definition>) {
        let key = definition.value.key();
        if let Some(first) = seen.get(&key) {
            let place = definition.place.clone();
            let message = format!("{key} is defined twice in this input");
            let remedy = "keep one of the two, or give one another name";
            let finding = Finding::error("duplicate-definition", place, message, remedy);
            self.findings.push(finding.with_related(first.clone()));
        } else {
            seen.insert(key, definition.place.clone());
            self.definitions.push(definition);
        }
    }
}

/// Every definition and every finding of one text. `file` is what places call it.
pub fn parse(text: &str, file: Option<&str>) -> Parsed {
    let mut parsed = Parsed::default();
    if text.len() > MAX_BYTES {
        let place = Place { file: file.map(str::to_owned), ..Place::default() };
        let message = format!("the input is longer than {} MiB", MAX_BYTES >> 20);
        let finding =
            Finding::error("input-too-large", place, message, "split it into several files");
        parsed.findings.push(finding);
        return parsed;
    }
    let mut seen = HashMap::new();
    let mut number = 0;
    for document in tree::documents(text) {
        let roots = match &document {
            Ok(root) => items_of(root),
            Err(trouble) => {
                number += 1;
                parsed.findings.push(syntax(trouble, file, number));
                continue;
            }
        };
        for root in roots {
            number += 1;
            let document = format!("document {number}");
            let mut context = Context { file, document, findings: &mut parsed.findings };
            let before = context.findings.0.len();
            let read = definition(&mut context, root);
            let sound = parsed.findings.0.len() == before;
            match read {
                Some(definition) if sound => parsed.take(&mut seen, definition),
                Some(draft) => parsed.drafts.push(draft),
                None => {}
            }
            if parsed.findings.0.len() >= MAX_FINDINGS {
                let place = Place { file: file.map(str::to_owned), ..Place::default() };
                let message = format!("more than {MAX_FINDINGS} findings: the rest is not read");
                let remedy = "correct these first";
                parsed.findings.push(Finding::error("too-many-findings", place, message, remedy));
                return parsed;
            }
        }
    }
    parsed
}

/// A document is a definition, a list of definitions, or `{"items": [...]}`.
fn items_of(root: &Node) -> Vec<&Node> {
    match &root.value {
        Value::Sequence(items) => items.iter().collect(),
        Value::Mapping(entries) => match entries.as_slice() {
            [(key, Node { value: Value::Sequence(items), .. })] if key.text == "items" => {
                items.iter().collect()
            }
            _ => vec![root],
        },
        Value::Scalar { .. } => vec![root],
    }
}

fn syntax(trouble: &Trouble, file: Option<&str>, number: usize) -> Finding {
    let place = Place {
        file: file.map(str::to_owned),
        line: Some(trouble.at.line),
        column: Some(trouble.at.column),
        document: Some(format!("document {number}")),
        path: None,
    };
    Finding::error(trouble.rule, place, trouble.message.clone(), trouble.remedy)
}

fn definition(context: &mut Context<'_>, root: &Node) -> Option<Placed<Definition>> {
    let spot = Spot { node: root, path: String::new() };
    let mut fields = Fields::of(context, &spot)?;
    let kind = fields.required(context, "kind", kind);
    let name = fields.required(context, "name", scalar::name);
    if let (Some(kind), Some(name)) = (kind, &name) {
        context.document = Key { kind, name: name.clone() }.to_string();
    }
    let spec = match kind {
        Some(Kind::Instance) => fields
            .required(context, "spec", instance::instance)
            .map(|spec| Spec::Instance(Box::new(spec))),
        Some(Kind::Check) => fields.required(context, "spec", check::check).map(Spec::Check),
        Some(Kind::SyncGroup) => {
            fields.required(context, "spec", sync_group::sync_group).map(Spec::SyncGroup)
        }
        // [`kind`] lets no other pass.
        Some(Kind::Switchover | Kind::Drain) | None => {
            fields.spot("spec");
            None
        }
    };
    fields.finish(context);
    let place = Place { path: None, ..context.place(root.at, "") };
    let value = match (name?, spec?) {
        (name, Spec::Instance(spec)) => Definition::Instance { name, spec },
        (name, Spec::Check(spec)) => Definition::Check { name, spec },
        (name, Spec::SyncGroup(spec)) => Definition::SyncGroup { name, spec },
    };
    Some(Placed::at(value, place, root))
}

enum Spec {
    Instance(Box<crate::instance::Instance>),
    Check(crate::check::Check),
    SyncGroup(crate::sync_group::SyncGroup),
}

/// Kinds that the plan names and this release does not have.
const LATER_KINDS: [&str; 4] = ["Pool", "DnsRecord", "Node", "Policy"];

fn kind(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Kind> {
    let written = scalar::text(context, spot)?;
    let place = context.place(spot.node.at, &spot.path);
    match Kind::ALL.into_iter().find(|kind| kind.as_str() == written) {
        Some(kind) if kind.is_move() => {
            let message = format!("kind {kind} is a planned move, which no document declares");
            let remedy = "leave it out; moves are made with `vipctl switchover` and `vipctl drain`";
            context.error("planned-move", place, message, remedy);
            return None;
        }
        Some(kind) => return Some(kind),
        None => {}
    }
    let known = Kind::DECLARED.map(Kind::as_str);
    if LATER_KINDS.contains(&written.as_str()) {
        let message = format!("kind {written} is not supported yet");
        let remedy = format!("leave it out; this release has {}", known.join(", "));
        context.error("not-supported-yet", place, message, remedy);
        return None;
    }
    let remedy = match closest(&written, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("kinds are {}", known.join(", ")),
    };
    let shown = written.chars().take(60).collect::<String>();
    context.error("unknown-kind", place, format!("unknown kind {shown:?}"), remedy);
    None
}

/// Fills in file, line and column of findings that name a document of the input.
pub fn locate(findings: &mut Findings, definitions: &[Placed<Definition>]) {
    let documents = definitions
        .iter()
        .filter_map(|placed| Some((placed.place.document.as_deref()?, placed)))
        .collect::<HashMap<_, _>>();
    for finding in &mut findings.0 {
        for place in std::iter::once(&mut finding.place).chain(&mut finding.related) {
            let document = place.document.as_deref().and_then(|it| documents.get(it));
            if let (None, Some(placed)) = (place.line, document) {
                *place = placed.place_of(place.path.as_deref().unwrap_or_default());
            }
        }
    }
}

/// Pretty YAML, documents separated by `---`; passwords in clear. [`parse`] reads it back equal.
pub fn to_yaml(definitions: &[Definition]) -> String {
    // Writing to a String fails on options that contradict each other only: these are constant.
    serde_saphyr::to_string_multiple(definitions).unwrap_or_default()
}

/// A pretty JSON array; passwords in clear. [`parse`] reads it back equal.
pub fn to_json(definitions: &[Definition]) -> String {
    // Definitions have string keys only and no number that JSON lacks.
    serde_json::to_string_pretty(definitions).unwrap_or_default()
}
