//! Which method a path means, from the services and the `google.api.http` rules in `proto/`.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use http::{Method, Uri};
use metrics::SharedString;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
};
use prost_types::method_options::IdempotencyLevel;

use crate::proto;

/// A unary method.
#[derive(Debug)]
pub(super) struct Rpc {
    /// Which service, counted as they were given to [`Routes::of_services`].
    pub(super) service: usize,
    /// `/package.Service/Method`
    pub(super) uri: Uri,
    /// Both, for metrics.
    pub(super) label: Label,
    /// Whether it only reads, so that a GET of Connect may call it.
    pub(super) reads: bool,
    pub(super) input: MessageDescriptor,
    pub(super) output: MessageDescriptor,
}

/// What metrics call the method of an answer.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// The service, or which part of the program has its own paths.
    pub(super) api: SharedString,
    pub(super) method: SharedString,
}

impl Label {
    /// What is no method of a service.
    pub(super) fn part(name: &'static str) -> Label {
        Label {
            api: name.into(),
            method: "".into(),
        }
    }
}

impl Rpc {
    /// The service's full name and the method's name.
    pub(super) fn name(&self) -> Option<(&str, &str)> {
        self.uri.path().strip_prefix('/')?.split_once('/')
    }
}

/// The part of the request message that the body is.
#[derive(Debug)]
pub(super) enum Body {
    /// None; fields come from path and query.
    Nothing,
    /// All of it, but for what the path binds.
    Whole,
    /// One field.
    Field(FieldDescriptor),
}

/// A field inside a message, from the outermost to the innermost.
pub(super) type FieldPath = Vec<FieldDescriptor>;

/// One way to reach a method over HTTP.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) rpc: Arc<Rpc>,
    /// What the path's variables fill, in their order.
    pub(super) variables: Vec<FieldPath>,
    /// What the body fills.
    pub(super) body: Body,
}

/// One rule as `proto/` spells it.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) method: Method,
    pub(super) template: String,
    pub(super) binding: Arc<Binding>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    variable: Option<Box<Node>>,
    bindings: Vec<(Method, Arc<Binding>)>,
}

/// Every path that `proto/` names.
#[derive(Debug, Default)]
pub(super) struct Routes {
    services: HashSet<String>,
    rpcs: HashMap<String, Arc<Rpc>>,
    rules: Vec<Rule>,
    root: Node,
}

/// What a path under a known service means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known<'a> {
    Rpc(&'a Rpc),
    /// The service is ours and has no such unary method.
    NoSuchRpc,
}

/// What a `google.api.http` path means.
#[derive(Debug)]
pub(super) enum Found<'a, 'p> {
    /// The binding, and the raw text of its variables.
    Binding(&'a Binding, Vec<&'p str>),
    /// The path exists with these methods only.
    OtherMethods(Vec<&'a Method>),
    Nothing,
}

impl Routes {
    /// The routes of some services of the program's own `proto/`, by their full names.
    pub(super) fn of_services(services: &[&str]) -> Self {
        Routes::parse(proto::pool(), services).expect("the rules in proto/ parse, as a test shows")
    }

    /// Reads services of `pool`; names the rule that it does not understand.
    fn parse(pool: &DescriptorPool, services: &[&str]) -> Result<Self, String> {
        let http = pool
            .get_extension_by_name("google.api.http")
            .ok_or("google.api.http is not in the descriptors")?;
        let mut routes = Self::default();
        for (index, name) in services.iter().enumerate() {
            let service = pool
                .get_service_by_name(name)
                .ok_or_else(|| format!("{name} is not in the descriptors"))?;
            routes.services.insert(service.full_name().to_owned());
            for method in service.methods() {
                if method.is_client_streaming() || method.is_server_streaming() {
                    continue;
                }
                let path = format!("/{}/{}", service.full_name(), method.name());
                let rpc = Arc::new(Rpc {
                    service: index,
                    uri: Uri::try_from(&path).map_err(|error| format!("{path}: {error}"))?,
                    label: Label {
                        api: service.full_name().to_owned().into(),
                        method: method.name().to_owned().into(),
                    },
                    reads: only_reads(&method),
                    input: method.input(),
                    output: method.output(),
                });
                routes.rpcs.insert(path, Arc::clone(&rpc));
                let options = method.options();
                if options.has_extension(&http)
                    && let Some(rule) = options.get_extension(&http).as_message()
                {
                    routes.add_with_additional(&rpc, rule)?;
                }
            }
        }
        Ok(routes)
    }

    fn add_with_additional(&mut self, rpc: &Arc<Rpc>, rule: &DynamicMessage) -> Result<(), String> {
        self.add(rpc, rule)?;
        if let Some(more) = rule.get_field_by_name("additional_bindings")
            && let Some(more) = more.as_list()
        {
            for rule in more.iter().filter_map(|rule| rule.as_message()) {
                self.add(rpc, rule)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, rpc: &Arc<Rpc>, rule: &DynamicMessage) -> Result<(), String> {
        let text = |name: &str| {
            rule.get_field_by_name(name)
                .and_then(|value| value.as_str().map(str::to_owned))
                .unwrap_or_default()
        };
        let (method, template) = [
            ("get", Method::GET),
            ("put", Method::PUT),
            ("post", Method::POST),
            ("delete", Method::DELETE),
            ("patch", Method::PATCH),
        ]
        .into_iter()
        .find_map(|(name, method)| {
            let template = text(name);
            (!template.is_empty()).then_some((method, template))
        })
        .ok_or_else(|| format!("{}: the rule has no method that is known", rpc.uri))?;
        if !text("response_body").is_empty() {
            return Err(format!("{template}: response_body is not supported"));
        }
        let body = match text("body").as_str() {
            "" => Body::Nothing,
            "*" => Body::Whole,
            name => match field_path(&rpc.input, name)?.as_slice() {
                [field] if matches!(field.kind(), Kind::Message(_)) && !field.is_list() => {
                    Body::Field(field.clone())
                }
                _ => return Err(format!("{template}: body {name} is not a message field")),
            },
        };

        let mut node = &mut self.root;
        let mut variables = Vec::new();
        let path = template
            .strip_prefix('/')
            .ok_or_else(|| format!("{template}: no slash at the start"))?;
        for segment in path.split('/') {
            if let Some(variable) = segment.strip_prefix('{') {
                let name = variable
                    .strip_suffix('}')
                    .map(|name| name.strip_suffix("=*").unwrap_or(name))
                    .filter(|name| !name.contains(['{', '}', '*', '=']))
                    .ok_or_else(|| format!("{template}: {segment} is not supported"))?;
                let field = field_path(&rpc.input, name)?;
                if field.last().is_none_or(|last| {
                    last.is_list() || last.is_map() || matches!(last.kind(), Kind::Message(_))
                }) {
                    return Err(format!("{template}: {name} is not a single value"));
                }
                variables.push(field);
                node = node.variable.get_or_insert_default();
            } else if segment.is_empty() || segment.contains([':', '*', '{', '}']) {
                return Err(format!("{template}: {segment:?} is not supported"));
            } else {
                node = node.literals.entry(segment.to_owned()).or_default();
            }
        }
        if node.bindings.iter().any(|(taken, _)| *taken == method) {
            return Err(format!("{method} {template} is bound twice"));
        }
        let binding = Arc::new(Binding {
            rpc: Arc::clone(rpc),
            variables,
            body,
        });
        node.bindings.push((method.clone(), Arc::clone(&binding)));
        self.rules.push(Rule {
            method,
            template,
            binding,
        });
        Ok(())
    }

    /// Every rule, in the order of `proto/`.
    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The method at `/package.Service/Method`, or `None` when no service of ours is named.
    pub(super) fn service_of(&self, path: &str) -> Option<Known<'_>> {
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        if !self.services.contains(service) {
            return None;
        }
        Some(
            self.rpcs
                .get(path)
                .map_or(Known::NoSuchRpc, |rpc| Known::Rpc(rpc)),
        )
    }

    /// The rule that `method` and `path` meet. A literal segment wins over a variable.
    pub(super) fn find<'a, 'p>(&'a self, method: &Method, path: &'p str) -> Found<'a, 'p> {
        let mut values = Vec::new();
        let mut others = Others::default();
        let Some(path) = path.strip_prefix('/') else {
            return Found::Nothing;
        };
        match self
            .root
            .descend(method, Some(path), &mut values, &mut others)
        {
            Some(binding) => Found::Binding(binding, values),
            None if others.methods.is_empty() => Found::Nothing,
            None => Found::OtherMethods(others.methods),
        }
    }
}

/// The methods of a path that has not the one that is asked for. A template that spells more of the path out
/// than another speaks for it.
#[derive(Default)]
struct Others<'a> {
    variables: usize,
    methods: Vec<&'a Method>,
}

impl<'a> Others<'a> {
    fn meet(&mut self, variables: usize, methods: impl Iterator<Item = &'a Method>) {
        if self.methods.is_empty() || variables < self.variables {
            self.methods.clear();
            self.variables = variables;
        }
        if variables == self.variables {
            self.methods.extend(methods);
        }
    }
}

impl Node {
    fn descend<'a, 'p>(
        &'a self,
        method: &Method,
        rest: Option<&'p str>,
        values: &mut Vec<&'p str>,
        others: &mut Others<'a>,
    ) -> Option<&'a Binding> {
        let Some(rest) = rest else {
            let bound = self.bindings.iter().find(|(bound, _)| bound == method);
            if bound.is_none() {
                others.meet(values.len(), self.bindings.iter().map(|(method, _)| method));
            }
            return bound.map(|(_, binding)| &**binding);
        };
        let (segment, rest) = match rest.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        if segment.is_empty() {
            return None;
        }
        if let Some(next) = self.literals.get(segment)
            && let Some(found) = next.descend(method, rest, values, others)
        {
            return Some(found);
        }
        let next = self.variable.as_ref()?;
        values.push(segment);
        let found = next.descend(method, rest, values, others);
        if found.is_none() {
            values.pop();
        }
        found
    }
}

/// Whether the proto marks the method with `idempotency_level = NO_SIDE_EFFECTS`.
fn only_reads(method: &MethodDescriptor) -> bool {
    let options = method.method_descriptor_proto().options.as_ref();
    let level = options.map(|options| options.idempotency_level());
    level == Some(IdempotencyLevel::NoSideEffects)
}

/// `a.b.c` as fields, each name in proto or JSON spelling.
pub(super) fn field_path(message: &MessageDescriptor, path: &str) -> Result<FieldPath, String> {
    let mut fields = FieldPath::new();
    let mut message = Some(message.clone());
    for name in path.split('.') {
        let field = message
            .as_ref()
            .and_then(|message| field(message, name))
            .ok_or_else(|| format!("{path} is not a field"))?;
        message = match field.kind() {
            Kind::Message(inner) if !field.is_list() && !field.is_map() => Some(inner),
            _ => None,
        };
        fields.push(field);
    }
    Ok(fields)
}

/// The field of that name, in JSON or proto spelling.
pub(super) fn field(message: &MessageDescriptor, name: &str) -> Option<FieldDescriptor> {
    message
        .get_field_by_json_name(name)
        .or_else(|| message.get_field_by_name(name))
}

#[cfg(test)]
mod tests;
