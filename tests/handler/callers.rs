//! Who is let in, and to what. Every refusal is a problem document.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use helpdesk::{
    access::Role,
    adapters::embedded::{Claims, LocalIssuer},
    functions::HttpAnswer,
    ports::Secret,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::support::world::{HELP, SUPPORT, World, mail};

const ANN: &str = "ann@adventure-works.example";
const BOB: &str = "bob@northwind.example";

/// Ann's question with an attachment and an agent's private comment, and Bob's question; the paths of all that Ann's holds.
struct Desk {
    world: World,
    ann: String,
    bob: String,
    everything: Vec<String>,
}

async fn desk() -> Desk {
    let world = World::new().await;
    let with_file = "Content-Disposition: attachment; filename=\"plan.txt\"\r\n";
    for (at, from) in [ANN, BOB].into_iter().enumerate() {
        let raw = mail(from, &format!("q{at}@a.example"), "A question", with_file, "Words.");
        assert_eq!(world.mail(HELP, &format!("{at}.eml"), &raw).await.0, 200);
    }
    let tickets = world.tickets("contoso").await;
    let of = |address: &str| tickets.iter().find(|ticket| ticket["requester"]["address"] == address).unwrap().clone();
    let (ann, bob) = (of(ANN), of(BOB));
    let path = format!("/api/tickets/{}", ann["id"].as_str().unwrap());
    let agent = world.token("contoso", Role::Agent, None);
    let body = json!({ "text": "A note between agents." }).to_string();
    // Later than the mail, so that it stands after it.
    world.clock.advance(time::Duration::SECOND);
    assert_eq!(world.http("POST", &format!("{path}/comments"), Some(&agent), body.as_bytes()).await.status, 201);
    let comments = world.comments("contoso", &ann).await;
    let comment = format!("{path}/comments/{}", comments[0]["id"].as_str().unwrap());
    let everything = vec![path.clone(), format!("{path}/comments"), format!("{comment}/attachments/1"), format!("{comment}/mail")];
    Desk { world, ann: path, bob: format!("/api/tickets/{}", bob["id"].as_str().unwrap()), everything }
}

fn problem(answer: &HttpAnswer) -> Value {
    let header = |name: &str| answer.headers.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
    assert_eq!(header("content-type"), Some("application/problem+json"));
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["status"], answer.status);
    assert!(body["type"].as_str().unwrap().starts_with("urn:helpdesk:problem:") && body["title"].is_string(), "{body}");
    if answer.status == 401 {
        assert_eq!(header("www-authenticate"), Some("Bearer"));
    }
    body
}

fn claims(world: &World) -> Claims {
    let now = world.ports.clock.now().unix_timestamp();
    Claims {
        iss: "urn:helpdesk:local".to_owned(),
        aud: "helpdesk".to_owned(),
        sub: "somebody".to_owned(),
        tid: "contoso".to_owned(),
        roles: vec!["agent".to_owned()],
        upn: None,
        iat: now,
        nbf: now,
        exp: now + 3600,
    }
}

async fn secret(world: &World) -> Secret {
    world.ports.vault.secret(LocalIssuer::SECRET, None).await.unwrap().unwrap()
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

#[tokio::test]
async fn only_a_token_of_the_issuer_for_this_help_desk_lets_in() {
    let world = World::new().await;
    let issuer = LocalIssuer::new(&secret(&world).await).unwrap();
    let good = issuer.mint(&claims(&world)).unwrap();
    let kid = jsonwebtoken::decode_header(&good).unwrap().kid.unwrap();
    let key = world.ports.identity.key(&kid).await.unwrap().unwrap();
    assert_eq!(world.http("GET", "/api/tickets", Some(&good), b"").await.status, 200);

    let changed = |change: fn(&mut Claims)| {
        let mut claims = claims(&world);
        change(&mut claims);
        issuer.mint(&claims).unwrap()
    };
    let other = |kid: &str| {
        let secret = Secret { version: kid.to_owned(), value: Zeroizing::new(vec![9; 32]) };
        LocalIssuer::new(&secret).unwrap().mint(&claims(&world)).unwrap()
    };
    let unsigned = |algorithm: &str| {
        let header = json!({ "typ": "JWT", "alg": algorithm, "kid": key.kid });
        format!("{}.{}.", part(&header), part(&serde_json::to_value(claims(&world)).unwrap()))
    };
    // The oldest trick: the public key as the secret of a symmetric signature.
    let symmetric = |secret: &[u8]| {
        let header = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims(&world), &EncodingKey::from_secret(secret)).unwrap()
    };
    let (head, rest) = good.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let mut more = claims(&world);
    more.tid = "fabrikam".to_owned();
    let refused = [
        ("expired", changed(|claims| claims.exp -= 3600 + 61)),
        ("not valid yet", changed(|claims| claims.nbf += 120)),
        ("another issuer", changed(|claims| claims.iss = "urn:helpdesk:other".to_owned())),
        ("another audience", changed(|claims| claims.aud = "other".to_owned())),
        ("a tenant that is none", changed(|claims| claims.tid = "northwind".to_owned())),
        ("the house itself", changed(|claims| claims.tid = "sys".to_owned())),
        ("no role", changed(|claims| claims.roles.clear())),
        ("an unknown role", changed(|claims| claims.roles = vec!["Agent".to_owned()])),
        ("another key", other(&key.kid)),
        ("an unknown key", other("unknown")),
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("no signature", unsigned("EdDSA")),
        ("the public key as a secret", symmetric(key.public.as_bytes())),
        ("the public key's bytes as a secret", symmetric(&URL_SAFE_NO_PAD.decode(&key.public).unwrap())),
        ("other claims under a signature", format!("{head}.{}.{signature}", part(&serde_json::to_value(more).unwrap()))),
        ("no JWT", "not-a-jwt".to_owned()),
        ("far too long", "a".repeat(20_000)),
        ("only a space", " ".to_owned()),
    ];
    for (why, token) in refused {
        let answer = world.http("GET", "/api/tickets", Some(&token), b"").await;
        assert_eq!(answer.status, 401, "{why}");
        let body = problem(&answer);
        assert_eq!(body["type"], "urn:helpdesk:problem:not-authenticated", "{why}");
        assert!(token.trim().len() < 5 || !body.to_string().contains(&token), "{why}: the answer repeats the token");
    }
    assert_eq!(world.http("GET", "/api/tickets", None, b"").await.status, 401);
}

#[tokio::test]
async fn a_token_dies_on_time() {
    let world = World::new().await;
    let token = world.token("contoso", Role::Agent, None);
    for (minutes, status) in [(59, 200), (3, 401)] {
        world.clock.advance(time::Duration::minutes(minutes));
        assert_eq!(world.http("GET", "/api/tickets", Some(&token), b"").await.status, status);
    }
}

#[tokio::test]
async fn a_role_may_do_what_the_table_says() {
    let desk = desk().await;
    let ann = desk.world.token("contoso", Role::Requester, Some(ANN));
    for (method, path, body) in
        [("GET", desk.everything[3].as_str(), ""), ("PATCH", &desk.ann, r#"{"status":"solved"}"#), ("PATCH", "/api/tickets/x", "")]
    {
        let answer = desk.world.http(method, path, Some(&ann), body.as_bytes()).await;
        assert_eq!(answer.status, 403, "{method} {path}");
        assert_eq!(problem(&answer)["type"], "urn:helpdesk:problem:not-allowed");
    }
}

#[tokio::test]
async fn another_tenants_ticket_does_not_exist() {
    let desk = desk().await;
    let (own, other) = (desk.world.token("contoso", Role::Agent, None), desk.world.token("fabrikam", Role::Agent, None));
    for path in &desk.everything {
        assert_eq!(desk.world.http("GET", path, Some(&own), b"").await.status, 200, "{path}");
        let answer = desk.world.http("GET", path, Some(&other), b"").await;
        assert_eq!(answer.status, 404, "{path}");
        // Nor does the answer tell it from one that is nobody's.
        let nobodys = path.replace(&desk.ann, "/api/tickets/01JD7Z3M9QK4T5V6W7X8Y9Z0AB");
        assert_eq!(problem(&answer), problem(&desk.world.http("GET", &nobodys, Some(&other), b"").await));
    }
    let comment = desk.world.http("POST", &format!("{}/comments", desk.ann), Some(&other), br#"{"text":"x","public":true}"#).await;
    assert_eq!(comment.status, 404);
    assert!(desk.world.tickets("fabrikam").await.is_empty());
    assert!(desk.world.sent.mails.lock().unwrap().is_empty());
    // A mail to the other tenant that names this ticket's mail opens one of its own.
    let reply = mail(ANN, "r@a.example", "Re: A question", "In-Reply-To: <q0@a.example>\r\n", "More.");
    desk.world.mail(SUPPORT, "r.eml", &reply).await;
    assert_eq!(desk.world.tickets("fabrikam").await.len(), 1);
}

#[tokio::test]
async fn a_requester_sees_his_own_tickets_and_no_private_comment() {
    let desk = desk().await;
    let world = &desk.world;
    let ann = world.token("contoso", Role::Requester, Some("Ann@Adventure-Works.example"));
    let (status, list) = world.get("/api/tickets", &ann).await;
    assert_eq!((status, list["tickets"].as_array().unwrap().len()), (200, 1), "{list}");
    assert_eq!(list["tickets"][0]["requester"]["address"], ANN);
    let (status, comments) = world.get(&format!("{}/comments", desk.ann), &ann).await;
    assert_eq!((status, comments["comments"].as_array().unwrap().len()), (200, 1), "{comments}");
    assert!(!comments.to_string().contains("between agents"));
    assert_eq!(world.get(&desk.everything[2], &ann).await.0, 200);

    let bob = world.token("contoso", Role::Requester, Some(BOB));
    let nobody = world.token("contoso", Role::Requester, None);
    for token in [&bob, &nobody] {
        for path in &desk.everything[..3] {
            assert_eq!(world.get(path, token).await.0, 404, "{path}");
        }
    }
    assert_eq!(world.get(&desk.bob, &bob).await.0, 200);
    assert_eq!(world.get(&desk.bob, &ann).await.0, 404);
    assert_eq!(world.get("/api/tickets", &nobody).await.1["tickets"], json!([]));
    // The number of the private comment's attachments, mail and the like does not exist for him either.
    let agent = world.token("contoso", Role::Agent, None);
    let private = world.get(&format!("{}/comments", desk.ann), &agent).await.1["comments"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&format!("{}/comments/{private}/attachments/1", desk.ann), &ann).await.0, 404);
}

#[tokio::test]
async fn a_bad_comment_is_a_problem_and_changes_nothing() {
    let desk = desk().await;
    let world = &desk.world;
    let agent = world.token("contoso", Role::Agent, None);
    let path = format!("{}/comments", desk.ann);
    let long = json!({ "text": "a".repeat(60_000) }).to_string();
    let huge = json!({ "text": "a".repeat(800_000) }).to_string();
    for (body, status) in [
        ("", 400),
        ("null", 400),
        ("[]", 400),
        ("{}", 400),
        (r#"{"text":7}"#, 400),
        (r#"{"text":"  \n "}"#, 400),
        (r#"{"text":"x","public":"yes"}"#, 400),
        (r#"{"text":"x","more":1}"#, 400),
        ("{\"text\":\"\u{ff}", 400),
        (long.as_str(), 400),
        (huge.as_str(), 413),
    ] {
        let answer = world.http("POST", &path, Some(&agent), body.as_bytes()).await;
        assert_eq!(answer.status, status, "{:.60}", body);
        problem(&answer);
    }
    assert_eq!(world.http("POST", &path, Some(&agent), b"{\"text\":\"\xff\"}").await.status, 400);
    assert_eq!(world.get(&path, &agent).await.1["comments"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_held_attachment_is_named_with_its_reason_and_not_handed_out() {
    let world = World::new().await;
    let raw = mail(ANN, "q@a.example", "A program", "Content-Disposition: attachment; filename=\"invoice.pdf.exe\"\r\n", "Words.");
    assert_eq!(world.mail(HELP, "held.eml", &raw).await.0, 200);
    let ticket = &world.tickets("contoso").await[0];
    let comment = &world.comments("contoso", ticket).await[0];
    assert_eq!((&comment["attachments"][0]["name"], &comment["attachments"][0]["held"]), (&json!("invoice.pdf.exe"), &json!("double_extension")));
    let path = format!("/api/tickets/{}/comments/{}", ticket["id"].as_str().unwrap(), comment["id"].as_str().unwrap());
    let (agent, ann) = (world.token("contoso", Role::Agent, None), world.token("contoso", Role::Requester, Some(ANN)));
    for token in [&agent, &ann] {
        let answer = world.http("GET", &format!("{path}/attachments/1"), Some(token), b"").await;
        assert_eq!(answer.status, 403);
        let problem = problem(&answer);
        assert_eq!(problem["type"], "urn:helpdesk:problem:attachment-held");
        assert!(problem["detail"].as_str().unwrap().contains("double_extension"), "{problem}");
    }
    let original = world.http("GET", &format!("{path}/mail"), Some(&agent), b"").await;
    assert_eq!((original.status, original.body.as_ref()), (200, raw.as_slice()));
}
