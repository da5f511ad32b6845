//! The whole job on the adapters of Azure: mail in, ticket, answer, mail out; Azurite, Cosmos DB's emulator and a stand-in of Key Vault below.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures::StreamExt;
use helpdesk::{
    access::Role,
    adapters::azure::{cosmos::CosmosDocuments, services::Services},
    functions::App,
    mail::{parse::parse, sender::Trust},
    ports::{Ports, decode_text, encode_text},
    wiring,
};
use serde_json::json;

use crate::{
    ports_contract::{
        azurite::Azurite,
        cosmos::{CosmosServer, Weather},
    },
    support::{
        azure::{Anyone, KeyVaultServer, Loopback, Storm, VAULT, on_azure},
        faulty::{Plan, faulty},
        world::{HELP, World, config, proven, queue},
    },
};

const QUESTIONS: usize = 40;
/// How long a message is hidden from the host's other readers.
const VISIBILITY: Duration = Duration::from_secs(4);
/// Deliveries before the Functions host puts a message aside, as host.json says.
const DEQUEUES_MAX: u32 = 10;
const AT_ONCE: usize = 8;
/// Visits of the outbox, six minutes apart.
const ROUNDS_MAX: usize = 8;
const PATIENCE: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/test --servers runs it"]
async fn the_whole_job_while_the_services_fail() {
    let (azurite, server) = (Azurite::start(), Arc::new(KeyVaultServer::default()));
    let storm = Storm::over(Loopback::over(server.start().await, azurite.transport()));
    let services = Services::with(Arc::new(Anyone), storm.clone());
    let cosmos = CosmosServer::start().await;
    let world = World::over(async |ports, clock| {
        let documents = Arc::new(CosmosDocuments::new(&cosmos.address, &services, clock.clone()).unwrap());
        on_azure(ports, documents, &azurite, VAULT, &services).await
    })
    .await;
    world.trusts().await;

    // The documents fail at the port too: before they took effect and after, by turns.
    let plan = Arc::new(Plan::default());
    let ports = Ports { documents: faulty(&world.ports, &plan).documents, ..world.ports.clone() };
    let app = wiring::app(ports, &config());
    for at in 0..QUESTIONS {
        let raw = proven(&format!("u{at}@a.example"), &format!("q{at}@a.example"), &format!("Question {at}"), "", "Words.");
        let message = world.leave(HELP, &format!("{at}.eml"), &raw).await;
        world.ports.queues.send("mail-intake", &encode_text(message.as_bytes()).unwrap(), Duration::ZERO).await.unwrap();
    }
    storm.vault_away.store(true, Ordering::SeqCst);
    assert_eq!(work_off(&world, &app, "mail-intake", "IntakeMail", Some(1)).await, 0, "nothing opens without the vault");
    storm.vault_away.store(false, Ordering::SeqCst);
    storm.blows.store(true, Ordering::SeqCst);
    cosmos.turns(Weather::Stormy);
    plan.fail_every(23);
    work_off(&world, &app, "mail-intake", "IntakeMail", None).await;
    storm.blows.store(false, Ordering::SeqCst);
    cosmos.turns(Weather::Fair);

    assert!(world.unprocessed("contoso").await.is_empty());
    assert_eq!(world.unprocessed("sys").await.len(), 0);
    assert_eq!(world.ports.queues.depth("mail-intake").await, Ok(0));
    let tickets = world.tickets("contoso").await;
    assert_eq!(tickets.len(), QUESTIONS, "none lost, none doubled");
    let token = world.token("contoso", Role::Agent, None);
    for ticket in &tickets {
        let path = format!("/api/tickets/{}/comments", ticket["id"].as_str().unwrap());
        let body = json!({ "text": "An answer.", "public": true }).to_string();
        let made =
            world.http_with("POST", &path, Some(&token), &[("idempotency-key", &format!("answer-{}", ticket["number"]))], body.as_bytes()).await;
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    }
    storm.blows.store(true, Ordering::SeqCst);
    cosmos.turns(Weather::Stormy);
    let mut rounds = 0;
    while sent(&world).len() < 2 * QUESTIONS {
        rounds += 1;
        assert!(rounds <= ROUNDS_MAX, "an acknowledgement and an answer each: {:?}", sent(&world));
        work_off(&world, &app, "outbox", "DeliverOutbox", None).await;
        world.clock.advance(time::Duration::minutes(6));
        world.ports.queues.send("outbox", &encode_text(br#"{"v":1,"tenant":"contoso"}"#).unwrap(), Duration::ZERO).await.unwrap();
    }
    work_off(&world, &app, "outbox", "DeliverOutbox", None).await;
    assert_eq!(sent(&world).len(), 2 * QUESTIONS, "no mail but these");
    storm.blows.store(false, Ordering::SeqCst);
    cosmos.turns(Weather::Fair);
    for ticket in &world.tickets("contoso").await {
        assert_eq!(world.comments("contoso", ticket).await.len(), 2);
    }
}

/// How often each mail left. One whose sending was in doubt goes again, as the same mail.
fn sent(world: &World) -> BTreeMap<String, usize> {
    let mut sent = BTreeMap::new();
    for mail in world.sent.mails.lock().unwrap().iter() {
        *sent.entry(parse(&mail.raw, &Trust::Nobody).unwrap().message_id.unwrap()).or_default() += 1;
    }
    sent
}

/// What the Functions host does with a queue, until nothing has come for a while or for so many rounds. Each fifth lease is lost: the message is worked
/// off and comes again. Answers how many were worked off.
async fn work_off(world: &World, app: &Arc<App>, name: &str, function: &str, rounds: Option<usize>) -> usize {
    let (queues, began, mut leased, mut done) = (&world.ports.queues, Instant::now(), 0, 0);
    // In the outbox wake-ups wait for their minute.
    let until_empty = name == "mail-intake" && rounds.is_none();
    let mut came = Instant::now();
    for _ in 0..rounds.unwrap_or(usize::MAX) {
        assert!(began.elapsed() < PATIENCE, "{name} does not become empty");
        let Ok(leases) = queues.lease(name, 16, VISIBILITY).await else {
            // Nobody knows whether something came.
            came = Instant::now();
            continue;
        };
        if !leases.is_empty() {
            came = Instant::now();
        } else if came.elapsed() > VISIBILITY + Duration::from_secs(2) && (!until_empty || queues.depth(name).await == Ok(0)) {
            break;
        } else {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let work = leases.into_iter().map(|lease| {
            leased += 1;
            let loses = leased % 5 == 0 && lease.dequeue_count == 1;
            async move {
                assert!(lease.dequeue_count <= DEQUEUES_MAX, "a message would be put aside");
                let (status, _) = queue(app, function, &decode_text(&lease.text).unwrap()).await;
                if status == 200 && !loses {
                    // That a settlement fails is one more lost lease.
                    let _ = queues.delete(name, &lease).await;
                }
                usize::from(status == 200)
            }
        });
        done += futures::stream::iter(work.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).fold(0, async |sum, one| sum + one).await;
    }
    done
}
