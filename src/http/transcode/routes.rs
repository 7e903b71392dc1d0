//! Which method a path means, from the services and the `google.api.http` rules in `proto/`.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock},
};

use http::{Method, Uri};
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};

use crate::proto;

/// A unary method.
#[derive(Debug)]
pub(in crate::http) struct Rpc {
    /// `/package.Service/Method`
    pub(super) uri: Uri,
    pub(in crate::http) input: MessageDescriptor,
    pub(in crate::http) output: MessageDescriptor,
}

impl Rpc {
    /// The service's full name and the method's name.
    pub(in crate::http) fn name(&self) -> Option<(&str, &str)> {
        self.uri.path().strip_prefix('/')?.split_once('/')
    }
}

/// The part of the request message that the body is.
#[derive(Debug)]
pub(in crate::http) enum Body {
    /// None; fields come from path and query.
    Nothing,
    /// All of it, but for what the path binds.
    Whole,
    /// One field.
    Field(FieldDescriptor),
}

/// A field inside a message, from the outermost to the innermost.
pub(in crate::http) type FieldPath = Vec<FieldDescriptor>;

/// One way to reach a method over HTTP.
#[derive(Debug)]
pub(in crate::http) struct Binding {
    pub(in crate::http) rpc: Arc<Rpc>,
    /// What the path's variables fill, in their order.
    pub(in crate::http) variables: Vec<FieldPath>,
    /// What the body fills.
    pub(in crate::http) body: Body,
}

/// One rule as `proto/` spells it.
#[derive(Debug)]
pub(in crate::http) struct Rule {
    pub(in crate::http) method: Method,
    pub(in crate::http) template: String,
    pub(in crate::http) binding: Arc<Binding>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<String, Node>,
    variable: Option<Box<Node>>,
    bindings: Vec<(Method, Arc<Binding>)>,
}

/// Every path that `proto/` names.
#[derive(Debug, Default)]
pub(in crate::http) struct Routes {
    services: HashSet<String>,
    rpcs: HashMap<String, Arc<Rpc>>,
    rules: Vec<Rule>,
    root: Node,
}

/// What a path under a known service means.
#[derive(Debug)]
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

static OF_PROTO: LazyLock<Routes> = LazyLock::new(|| {
    Routes::parse(proto::pool(), |_| true).expect("the rules in proto/ parse, as a test shows")
});

impl Routes {
    /// The routes of the program's own `proto/`.
    pub(in crate::http) fn of_proto() -> &'static Self {
        &OF_PROTO
    }

    /// The routes of some of its services, by their full names.
    pub(super) fn of_services(services: &[&str]) -> Self {
        let served = |service: &str| services.contains(&service);
        Routes::parse(proto::pool(), served).expect("the rules in proto/ parse, as a test shows")
    }

    /// Reads the services of `pool` that are served; names the rule that it does not understand.
    fn parse(pool: &DescriptorPool, served: impl Fn(&str) -> bool) -> Result<Self, String> {
        let http = pool
            .get_extension_by_name("google.api.http")
            .ok_or("google.api.http is not in the descriptors")?;
        let mut routes = Self::default();
        for service in pool
            .services()
            .filter(|service| served(service.full_name()))
        {
            routes.services.insert(service.full_name().to_owned());
            for method in service.methods() {
                if method.is_client_streaming() || method.is_server_streaming() {
                    continue;
                }
                let path = format!("/{}/{}", service.full_name(), method.name());
                let rpc = Arc::new(Rpc {
                    uri: Uri::try_from(&path).map_err(|error| format!("{path}: {error}"))?,
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
    pub(in crate::http) fn rules(&self) -> &[Rule] {
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
        let mut others = Vec::new();
        let Some(path) = path.strip_prefix('/') else {
            return Found::Nothing;
        };
        match self
            .root
            .descend(method, Some(path), &mut values, &mut others)
        {
            Some(binding) => Found::Binding(binding, values),
            None if others.is_empty() => Found::Nothing,
            None => Found::OtherMethods(others),
        }
    }
}

impl Node {
    fn descend<'a, 'p>(
        &'a self,
        method: &Method,
        rest: Option<&'p str>,
        values: &mut Vec<&'p str>,
        others: &mut Vec<&'a Method>,
    ) -> Option<&'a Binding> {
        let Some(rest) = rest else {
            let bound = self.bindings.iter().find(|(bound, _)| bound == method);
            if bound.is_none() {
                others.extend(self.bindings.iter().map(|(other, _)| other));
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
mod tests {
    use super::*;

    fn found(method: Method, path: &str) -> Option<(String, Vec<String>)> {
        match Routes::of_proto().find(&method, path) {
            Found::Binding(binding, values) => Some((
                binding.rpc.uri.path().rsplit('/').next()?.to_owned(),
                values.into_iter().map(str::to_owned).collect(),
            )),
            Found::OtherMethods(_) | Found::Nothing => None,
        }
    }

    fn meets(method: Method, path: &str, rpc: &str, values: &[&str]) {
        let (name, bound) = found(method, path).unwrap();
        assert_eq!(
            (name.as_str(), bound),
            (rpc, values.iter().map(|v| (*v).to_owned()).collect())
        );
    }

    #[test]
    fn every_rule_of_ours_parses_and_every_method_has_one() {
        let routes = Routes::parse(proto::pool(), |_| true).unwrap();
        assert_eq!(routes.rules.len(), routes.rpcs.len());
        assert_eq!(routes.rpcs.len(), 23);
    }

    #[test]
    fn templates_match_with_literals_after_variables() {
        meets(Method::POST, "/v2/users/u1/phone", "SetPhone", &["u1"]);
        meets(
            Method::POST,
            "/v2/users/u1/phone/resend",
            "ResendPhoneCode",
            &["u1"],
        );
        meets(
            Method::POST,
            "/v2/users/u1/phone/verify",
            "VerifyPhone",
            &["u1"],
        );
        meets(Method::DELETE, "/v2/users/u1/phone", "RemovePhone", &["u1"]);
        meets(Method::GET, "/v2/users/u1/phone", "ListUserPhones", &["u1"]);
        meets(Method::GET, "/v2/users/u%201", "GetUserByID", &["u%201"]);
        meets(Method::POST, "/v2/phones/search", "SearchPhones", &[]);
        meets(Method::POST, "/v2/users", "ListUsers", &[]);
    }

    #[test]
    fn a_literal_wins_over_a_variable_but_not_over_the_method() {
        meets(Method::POST, "/v2/users/human", "AddHumanUser", &[]);
        meets(Method::POST, "/v2/users/new", "CreateUser", &[]);
        meets(
            Method::PUT,
            "/v2/users/human/u1",
            "UpdateHumanUser",
            &["u1"],
        );
        // A user may be called "human": only the method tells the two apart.
        meets(Method::GET, "/v2/users/human", "GetUserByID", &["human"]);
        meets(
            Method::POST,
            "/v2/users/human/phone",
            "SetPhone",
            &["human"],
        );
    }

    #[test]
    fn other_paths_and_empty_segments_are_nothing() {
        for path in [
            "/",
            "/v2",
            "/v2/users/",
            "/v2/users//phone",
            "/v2/users/u1/phone/",
            "/v2/users/u1/phone/other",
            "v2/users",
        ] {
            assert!(
                matches!(Routes::of_proto().find(&Method::POST, path), Found::Nothing),
                "{path}"
            );
        }
    }

    #[test]
    fn a_wrong_method_names_the_right_ones() {
        let Found::OtherMethods(methods) = Routes::of_proto().find(&Method::PUT, "/v2/users/human")
        else {
            panic!("expected other methods");
        };
        let mut methods: Vec<_> = methods.into_iter().map(Method::as_str).collect();
        methods.sort_unstable();
        assert_eq!(methods, ["DELETE", "GET", "PATCH", "POST"]);
    }

    #[test]
    fn services_are_told_from_paths() {
        let routes = Routes::of_proto();
        assert!(matches!(
            routes.service_of("/zitadel.user.v2.UserService/SetPhone"),
            Some(Known::Rpc(_))
        ));
        assert!(matches!(
            routes.service_of("/zitadel.user.v2.UserService/SetEmail"),
            Some(Known::NoSuchRpc)
        ));
        assert!(routes.service_of("/other.Service/SetPhone").is_none());
        assert!(routes.service_of("/v2/users").is_none());
    }
}
