//! Containers' ports under https names of their own: a real controller, agent and engine, started for this; and a client
//! that resolves names as it likes, as `curl --resolve` does.

mod client;
mod house;

use std::time::Duration;

use berth_e2e::{client as grpc, lend};
use berth_proto::v1::{
    self, app_service_client::AppServiceClient, auth_service_client::AuthServiceClient,
};
use http::StatusCode;
use tonic::Request;

use self::{
    client::{Client, Jar, TYPED},
    house::{DOMAIN, House},
};

const PATIENCE: Duration = Duration::from_secs(90);
const PAGES: u16 = 8080;
/// Shows what it was sent; of what asks for a WebSocket it makes one, and echoes its bytes.
const ECHO: u16 = 9000;
const SCRIPT: &str = r#"key=; all=
while read -r line; do
  line=$(printf %s "$line" | tr -d '\r')
  [ -z "$line" ] && break
  all="$all$line
"
  case "$line" in [Uu]pgrade:*) key=1 ;; esac
done
if [ -n "$key" ]; then
  printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
  exec cat
fi
printf 'HTTP/1.1 200 OK\r\nSet-Cookie: own=1; Domain=apps.localhost; Path=/\r\nSet-Cookie: __Host-berth-app=evil; Path=/; Secure\r\nContent-Length: %s\r\nConnection: close\r\n\r\n%s' "${#all}" "$all""#;

fn request(house: &House) -> v1::CreateContainerRequest {
    v1::CreateContainerRequest {
        name: "web".into(),
        image: house.demo.starter_image.clone(),
        guest_ports: vec![PAGES.into(), ECHO.into()],
        environment: [("SCRIPT".to_owned(), SCRIPT.to_owned())].into(),
        command: [
            "sh",
            "-c",
            "httpd -p 8080 -h /srv/www; exec nc -ll -p 9000 -e /bin/sh -c \"$SCRIPT\"",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Default::default()
    }
}

/// A token as a browser has it in its cookie.
async fn token(house: &House, name: &str) -> String {
    let user = house.demo.user(name).unwrap();
    let request = v1::SignInRequest {
        account: user.name.clone(),
        password: user.password.clone(),
        device: String::new(),
    };
    let mut client = AuthServiceClient::new(grpc::channel(&house.demo).unwrap());
    client.sign_in(request).await.unwrap().into_inner().token
}

fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    request
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs an engine, the starter image and our programs: BERTH_PROGRAMS"]
async fn a_web_server_under_its_own_name() {
    let house = House::open().await;
    let client = Client::new(&house);
    let (ann, ben) = (token(&house, "ann").await, token(&house, "ben").await);
    let mut session = grpc::sign_in(&house.demo, house.demo.user("ann").unwrap()).await.unwrap();
    let container = lend::lend(&mut session, request(&house), PATIENCE).await.unwrap();
    // The site gives ports of the blade to those who ask, and nobody did.
    for endpoint in &container.endpoints {
        assert_eq!((endpoint.host_port, endpoint.host.as_str()), (0, ""), "{endpoint:?}");
    }
    let host = |port: u16| {
        let port = u32::from(port);
        let endpoint = container.endpoints.iter().find(|e| e.guest_port == port).unwrap();
        let host = endpoint.url.strip_prefix("https://").unwrap().trim_end_matches('/');
        assert!(host.contains(&format!(".{DOMAIN}:")), "{host}");
        host.to_owned()
    };
    let (pages, echo) = (host(PAGES), host(ECHO));
    let page = format!("https://{pages}/");
    let console = format!("https://{}", house.authority());

    the_way_in(&client, &page, &ann, &ben, &console).await;
    let jar = Jar::signed_in(&house.authority(), &ann);
    client.follow(&jar, &page).await;
    client.follow(&jar, &format!("https://{echo}/")).await;
    nothing_of_ours_goes_in(&client, &jar, &echo).await;
    websockets(&client, &jar, &echo).await;
    // Never the console's API, whoever asks at a container's name.
    let rpc = format!("{page}berth.v1.AuthService/GetSelf");
    for jar in [&jar, &Jar::default()] {
        let answer = client.get(jar, &rpc, &[("content-type", "application/grpc-web+proto")]).await;
        assert!(!answer.headers.contains_key("grpc-status"), "{answer:?}");
    }
    // Over HTTP/2 the same.
    assert!(client.get_h2(&jar, &page).await.body.contains("inside your container"));

    links(&house, &client, &ann, &pages, &echo).await;

    let stop = v1::StopContainerRequest { name: "web".into(), owner: String::new() };
    session.containers.stop_container(stop).await.unwrap();
    let stopped = client.until(&jar, &page, "The container is not running", PATIENCE).await;
    assert_eq!(stopped.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(stopped.body.contains(&format!("href=\"{console}/c/web\"")), "{}", stopped.body);

    // It ends with the session.
    let mut auth = AuthServiceClient::new(grpc::channel(&house.demo).unwrap());
    auth.sign_out(with(&ann, v1::SignOutRequest {})).await.unwrap();
    assert_eq!(client.get(&jar, &page, &[]).await.status, StatusCode::UNAUTHORIZED);
}

async fn the_way_in(client: &Client, page: &str, ann: &str, ben: &str, console: &str) {
    let authority = console.trim_start_matches("https://");
    let jar = Jar::signed_in(authority, ann);
    let first = client.get(&jar, page, TYPED).await;
    assert!(first.location().starts_with(&format!("{console}/apps/enter?")), "{first:?}");
    let (last, answer) = client.follow(&jar, page).await;
    assert_eq!((last.as_str(), answer.status), (page, StatusCode::OK));
    assert!(answer.body.contains("inside your container"), "{}", answer.body);
    // A stranger hears the same of what is there and of what is not.
    let never = page.replace("-web-", "-web2-");
    let mut heard = Vec::new();
    for url in [page, &never] {
        let (_, answer) = client.follow(&Jar::signed_in(authority, ben), url).await;
        heard.push((answer.status, answer.body));
    }
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[0].0, StatusCode::NOT_FOUND);
    let (_, nobody) = client.follow(&Jar::default(), page).await;
    assert!(nobody.body.contains("http-equiv=\"refresh\""), "{}", nobody.body);
}

async fn nothing_of_ours_goes_in(client: &Client, jar: &Jar, echo: &str) {
    jar.keep(echo, "mine", "1");
    let forged = [("x-forwarded-for", "10.9.9.9"), ("x-real-ip", "10.9.9.9")];
    let answer = client.get(jar, &format!("https://{echo}/x?y=1"), &forged).await;
    assert!(answer.body.starts_with("GET /x?y=1 HTTP/1.1\n"), "{}", answer.body);
    let said = answer.body.to_lowercase();
    assert!(!said.contains("__host-berth") && !said.contains("10.9.9.9"), "{said}");
    for line in [
        "cookie: mine=1\n",
        "x-forwarded-for: 127.0.0.1\n",
        "x-forwarded-proto: https\n",
        &format!("host: {echo}\n"),
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let set: Vec<_> =
        answer.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    assert_eq!(set, ["own=1; Path=/"]);
}

async fn websockets(client: &Client, jar: &Jar, echo: &str) {
    let own = format!("https://{echo}");
    let mut tunnel = client.upgrade(jar, echo, &own).await.unwrap();
    let sent: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    assert_eq!(tunnel.echo(&sent).await, sent);
    for origin in ["https://evil.example", "null"] {
        assert_eq!(client.upgrade(jar, echo, origin).await.err(), Some(StatusCode::FORBIDDEN));
    }
    let nobody = client.upgrade(&Jar::default(), echo, &own).await;
    assert_eq!(nobody.err(), Some(StatusCode::UNAUTHORIZED));
}

async fn links(house: &House, client: &Client, ann: &str, pages: &str, echo: &str) {
    let mut apps = AppServiceClient::new(grpc::channel(&house.demo).unwrap());
    let create =
        v1::CreateShareLinkRequest { name: "web".into(), port: PAGES.into(), ..Default::default() };
    let made = apps.create_share_link(with(ann, create)).await.unwrap().into_inner();
    let id = made.share_link.unwrap().id;
    let friend = Jar::default();
    let (last, answer) = client.follow(&friend, &made.url).await;
    assert_eq!(last, format!("https://{pages}/"), "the token is gone from the address");
    assert!(answer.body.contains("inside your container"), "{}", answer.body);
    let other = client.get(&friend, &format!("https://{echo}/"), &[]).await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED, "one port, and no other");
    let delete = v1::DeleteShareLinkRequest { name: "web".into(), owner: String::new(), id };
    apps.delete_share_link(with(ann, delete)).await.unwrap();
    let over = client.get(&friend, &format!("https://{pages}/"), &[]).await;
    assert_eq!(over.status, StatusCode::UNAUTHORIZED);
    assert_eq!(client.get(&friend, &made.url, TYPED).await.status, StatusCode::NOT_FOUND);
}
