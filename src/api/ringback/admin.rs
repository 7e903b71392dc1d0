//! ringback's admin service: who calls, and how the program is set up.

use std::sync::Arc;

use ringback_core::Refusal;
use ringback_core::rights::{Right, Rights};
use tonic::{Request, Response, Status};

use super::contract;
use super::errors::{status, status_of_read};
use crate::api::shared::caller;
use crate::config::{Permission, Setting as Known};
use crate::http::{BODY_LIMIT, RpcService, Services};
use crate::proto::ringback::admin::v1::admin_service_server::{AdminService, AdminServiceServer};
use crate::proto::ringback::admin::v1::{
    GetCallerRequest, GetCallerResponse, GetConfigRequest, GetConfigResponse, Setting,
};

/// Serves who calls, and how the program is set up.
pub(super) fn service(services: &Services) -> RpcService {
    let api = AdminApi {
        settings: services.settings.clone(),
    };
    let admin = AdminServiceServer::new(api);
    RpcService::new(
        admin.max_decoding_message_size(BODY_LIMIT),
        status,
        contract::of_admin,
    )
}

/// Serves `ringback.admin.v1.AdminService`. The caller is expected in the request's extensions.
#[derive(Clone)]
struct AdminApi {
    settings: Arc<[Known]>,
}

impl AdminApi {
    fn config(&self, request: &Request<GetConfigRequest>) -> Result<GetConfigResponse, Refusal> {
        if !caller(request)?.everywhere.holds(Right::Write) {
            return Err(Refusal::PermissionDenied);
        }
        let own = |setting: &Known| {
            let rest = setting.key.strip_prefix("organizations.")?;
            // A name with dots stands between quotes.
            let end = match rest.strip_prefix('"') {
                Some(quoted) => quoted.find('"')? + 2,
                None => rest.find('.').unwrap_or(rest.len()),
            };
            Some(rest[..end].trim_matches('"').to_owned())
        };
        let mut organization_ids: Vec<String> = self.settings.iter().filter_map(own).collect();
        organization_ids.sort();
        organization_ids.dedup();
        Ok(GetConfigResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: self.settings.iter().cloned().map(setting).collect(),
            organization_ids,
        })
    }
}

#[tonic::async_trait]
impl AdminService for AdminApi {
    async fn get_caller(
        &self,
        request: Request<GetCallerRequest>,
    ) -> Result<Response<GetCallerResponse>, Status> {
        let caller = caller(&request).map_err(|refusal| status_of_read(&refusal))?;
        // A session is for one number, and tells its bearer nothing else.
        if caller.session.is_some() {
            return Err(status_of_read(&Refusal::PermissionDenied));
        }
        let local = caller.local.iter().filter(|(_, rights)| rights.any());
        let mut organization_ids: Vec<String> = local
            .map(|(name, _)| name.clone())
            .filter(|name| *name != caller.organization)
            .collect();
        organization_ids.sort();
        organization_ids.dedup();
        Ok(Response::new(GetCallerResponse {
            permissions: permissions(caller.rights_at(&caller.organization)),
            permissions_everywhere: permissions(caller.everywhere),
            user_id: caller.user,
            home_organization_id: caller.home,
            organization_id: caller.organization,
            organization_ids,
        }))
    }

    async fn get_config(
        &self,
        request: Request<GetConfigRequest>,
    ) -> Result<Response<GetConfigResponse>, Status> {
        let told = self.config(&request);
        told.map(Response::new)
            .map_err(|refusal| status_of_read(&refusal))
    }
}

fn permissions(rights: Rights) -> Vec<String> {
    let held = Permission::ALL.into_iter();
    let held = held.filter(|permission| rights.holds(permission.right()));
    held.map(|permission| permission.name().to_owned())
        .collect()
}

fn setting(known: Known) -> Setting {
    Setting {
        key: known.key,
        value: known.value,
        origin: known.origin.unwrap_or_default(),
        about: known.about,
    }
}
