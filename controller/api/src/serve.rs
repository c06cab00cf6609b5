//! The router: services behind the guard behind gRPC-web.

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use berth_proto::v1::{
    app_service_server::AppServiceServer, auth_service_server::AuthServiceServer,
    container_service_server::ContainerServiceServer, exec_service_server::ExecServiceServer,
    file_service_server::FileServiceServer, forward_service_server::ForwardServiceServer,
    log_service_server::LogServiceServer, node_service_server::NodeServiceServer,
    usage_service_server::UsageServiceServer, volume_service_server::VolumeServiceServer,
};
use tonic::{server::NamedService, service::Routes};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::ServiceExt as _;

use crate::{Api, files, guard, terminal_socket};

/// A form with every field at its limit has some 40 KiB. The megabyte that somebody pastes into one field is still read, so
/// that the answer names the field.
const MESSAGE_MAXIMUM: usize = 2 << 20;

/// Whether a request is for the services, whatever its path.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    guard::content_type(headers).starts_with("application/grpc")
}

/// Answers gRPC and gRPC-web; everything else goes to `pages`. A gRPC call that does not exist is UNIMPLEMENTED and never
/// a page; a page is never served under a service's path.
pub async fn router(api: Api, pages: Router) -> Router {
    let services = services(api.clone()).await;
    let fallback = move |request: Request| {
        let (services, pages) = (services.clone(), pages.clone());
        async move { dispatch(services, pages, request).await }
    };
    Router::new()
        .route(terminal_socket::PATH, axum::routing::get(terminal_socket::open))
        .route(files::http::PATH, axum::routing::get(files::http::serve).put(files::http::serve))
        .with_state(api)
        .fallback(fallback)
}

async fn dispatch(services: Router, pages: Router, request: Request) -> Response {
    let path = request.uri().path();
    if is_grpc(request.headers()) {
        services.oneshot(request).await.into_response()
    } else if path.starts_with("/berth.") || path.starts_with("/grpc.") {
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "this path speaks gRPC and gRPC-web\n").into_response()
    } else {
        pages.oneshot(request).await.into_response()
    }
}

async fn services(api: Api) -> Router {
    let reporter = HealthReporter::new();
    let served = [
        name::<AppServiceServer<Api>>(),
        name::<AuthServiceServer<Api>>(),
        name::<ContainerServiceServer<Api>>(),
        name::<NodeServiceServer<Api>>(),
        name::<ExecServiceServer<Api>>(),
        name::<FileServiceServer<Api>>(),
        name::<ForwardServiceServer<Api>>(),
        name::<LogServiceServer<Api>>(),
        name::<UsageServiceServer<Api>>(),
        name::<VolumeServiceServer<Api>>(),
    ];
    for name in served {
        reporter.set_service_status(name, ServingStatus::Serving).await;
    }
    let health = tonic_health::server::HealthService::from_health_reporter(reporter);
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(berth_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name(HEALTH);
        // By name, because the descriptors also hold the agents' service, which has a port of its own.
        served.into_iter().fold(builder, tonic_reflection::server::Builder::with_service_name)
    };
    let invariant = "the descriptors were compiled with this program";
    Routes::new(AuthServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_MAXIMUM))
        .add_service(
            ContainerServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_MAXIMUM),
        )
        .add_service(NodeServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_MAXIMUM))
        .add_service(FileServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_MAXIMUM))
        .add_service(
            ForwardServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_MAXIMUM),
        )
        .add_service(LogServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_MAXIMUM))
        .add_service(ExecServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_MAXIMUM))
        .add_service(
            UsageServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_MAXIMUM),
        )
        .add_service(
            VolumeServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_MAXIMUM),
        )
        .add_service(AppServiceServer::new(api.clone()).max_decoding_message_size(MESSAGE_MAXIMUM))
        .add_service(tonic_health::pb::health_server::HealthServer::new(health))
        .add_service(reflection().build_v1().expect(invariant))
        .add_service(reflection().build_v1alpha().expect(invariant))
        .into_axum_router()
        .layer(from_fn_with_state(api, guard::guard))
        .layer(tonic_web::GrpcWebLayer::new())
        .layer(from_fn(guard::note_transport))
}

const HEALTH: &str = "grpc.health.v1.Health";

fn name<S: NamedService>() -> &'static str {
    S::NAME
}
