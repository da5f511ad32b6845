//! The Cosmos adapter on Microsoft's in-memory emulator.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use azure_core::http::{Request, Url};
use azure_data_cosmos::{
    AccountEndpoint, AccountReference, ContainerClient, CosmosClient, CosmosRuntimeBuilder, FeedScope, Query, RoutingStrategy,
    options::{OperationOptionsBuilder, QueryOptions, ReadConsistencyStrategy},
};
use azure_data_cosmos_driver::{
    in_memory_emulator::{ConsistencyLevel, InMemoryEmulatorHttpClient, VirtualAccountConfig, VirtualRegion},
    models::PartitionKeyDefinition,
};
use futures::TryStreamExt;
use helpdesk::{
    adapters::azure::{
        cosmos::{CosmosDocuments, client_builder},
        services::Services,
    },
    ports::{Documents, Fault, NewDocument, Write},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{OnceCell, oneshot},
    task::JoinHandle,
};
use warp::{
    Filter,
    http::{HeaderMap, Method, Response},
    hyper::body::Bytes,
    path::FullPath,
};

use super::worlds::World;
use crate::support::{TestClock, azure::Anyone};

/// Microsoft's in-memory emulator, in this process. It keeps TTL and never acts on it, so what has expired stays in the way.
pub async fn cosmos() -> World {
    let clock = Arc::new(TestClock::new());
    World { documents: Some(documents(&clock).await), clock, ..World::default() }
}

/// An empty container, as the infrastructure makes it.
pub async fn documents(clock: &Arc<TestClock>) -> Arc<dyn Documents> {
    let url = Url::parse("https://eastus.emulator.local").unwrap();
    let emulator = emulator(&url);
    let runtime = CosmosRuntimeBuilder::from(emulator.runtime_builder()).build().await.unwrap();
    let account = AccountReference::with_credential(AccountEndpoint::from(url), Arc::new(Anyone));
    let client = client_builder().unwrap().with_runtime(runtime).build(account, RoutingStrategy::PreferredRegions(vec![])).await.unwrap();
    Arc::new(CosmosDocuments::of(&client, clock.clone()).await.unwrap())
}

fn emulator(url: &Url) -> Arc<InMemoryEmulatorHttpClient> {
    emulator_of(vec![VirtualRegion::new("East US", url.clone())])
}

fn emulator_of(regions: Vec<VirtualRegion>) -> Arc<InMemoryEmulatorHttpClient> {
    let account = VirtualAccountConfig::new(regions).unwrap();
    let emulator = Arc::new(InMemoryEmulatorHttpClient::new(account.with_consistency(ConsistencyLevel::Session)));
    emulator.store().create_database("helpdesk");
    emulator.store().create_container("helpdesk", "documents", PartitionKeyDefinition::from("/pk"));
    emulator
}

fn failed(status: u16) -> Response<Vec<u8>> {
    let answer = Response::builder().status(status).header("x-ms-retry-after-ms", "20").header("content-type", "application/json");
    answer.body(br#"{"code":"Failed","message":"as planned"}"#.to_vec()).unwrap()
}

/// What becomes of requests for items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    Fair,
    /// By count some are throttled, some fail, and of some that take effect the answer is lost.
    Stormy,
    /// All are throttled.
    Busy,
    /// Commits take effect, and their answers are lost.
    Deaf,
    /// Nothing is answered.
    Hanging,
}

/// The emulator for other processes: over plain HTTP, which the client speaks to this machine alone.
pub struct CosmosServer {
    pub address: String,
    emulator: Arc<Mutex<Arc<InMemoryEmulatorHttpClient>>>,
    weather: Arc<Mutex<Weather>>,
    container: OnceCell<ContainerClient>,
    /// Thousandths of a request unit that its answers have charged.
    pub charged: Arc<AtomicU64>,
}

impl CosmosServer {
    pub async fn start() -> CosmosServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let (url, charged) = (Url::parse(&address).unwrap(), Arc::new(AtomicU64::new(0)));
        let (emulator, counted) = (Arc::new(Mutex::new(emulator(&url))), charged.clone());
        let present = emulator.clone();
        let (weather, requests) = (Arc::new(Mutex::new(Weather::Fair)), Arc::new(AtomicU64::new(0)));
        let outside = weather.clone();
        let request = warp::method().and(warp::path::full()).and(warp::query::raw().or(warp::any().map(String::new)).unify());
        let routes = request.and(warp::header::headers_cloned()).and(warp::body::bytes()).then(
            move |method: Method, path: FullPath, query: String, headers: HeaderMap, body: Bytes| {
                let (emulator, counted, url) = (present.lock().unwrap().clone(), counted.clone(), url.clone());
                let is_commit = headers.contains_key("x-ms-cosmos-is-batch-request");
                let weather = if path.as_str().contains("/docs") { *outside.lock().unwrap() } else { Weather::Fair };
                let count = if weather == Weather::Stormy { requests.fetch_add(1, Ordering::Relaxed) } else { 0 };
                async move {
                    match weather {
                        Weather::Hanging => return std::future::pending().await,
                        Weather::Busy => return failed(429),
                        Weather::Stormy if count % 17 == 3 => return failed(429),
                        Weather::Stormy if count % 101 == 5 => return failed(503),
                        _ => {}
                    }
                    let answer = answered(&emulator, &url, &method, &path, &query, &headers, body).await;
                    if weather == Weather::Deaf && is_commit || weather == Weather::Stormy && count % 83 == 7 {
                        return failed(408);
                    }
                    if let Some(charge) = answer.headers().get("x-ms-request-charge") {
                        counted.fetch_add((charge.to_str().unwrap().parse::<f64>().unwrap() * 1000.0) as u64, Ordering::Relaxed);
                    }
                    answer
                }
            },
        );
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        CosmosServer { address, charged, emulator, weather, container: OnceCell::new() }
    }

    pub fn turns(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    /// Begins anew with the items that are to be kept. For every commit the emulator copies all that it has ever stored, so that what has been looked at has
    /// to go before there are thousands.
    pub async fn forget(&self, keeps: impl Fn(&Value) -> bool) {
        let connect = async || {
            let account = AccountReference::with_credential(AccountEndpoint::from(Url::parse(&self.address).unwrap()), Arc::new(Anyone));
            let client = CosmosClient::builder().build(account, RoutingStrategy::PreferredRegions(vec![])).await.unwrap();
            client.database_client("helpdesk").container_client("documents", None).await.unwrap()
        };
        // One for all times: a client goes on asking after its account for as long as the process lives.
        let container = self.container.get_or_init(connect).await;
        // What the client has seen of the emulator before this one is no measure.
        let latest = OperationOptionsBuilder::new().with_read_consistency_strategy(ReadConsistencyStrategy::LatestCommitted).build();
        let options = QueryOptions::default().with_operation_options(latest);
        let items = container.query_items::<Value>(Query::from("SELECT * FROM c"), FeedScope::full_container(), Some(options)).await.unwrap();
        let mut items: Vec<Value> = items.try_collect().await.unwrap();
        items.retain(keeps);
        *self.emulator.lock().unwrap() = emulator(&Url::parse(&self.address).unwrap());
        for mut item in items {
            item.as_object_mut().unwrap().retain(|member, _| !member.starts_with('_'));
            let (place, id) = (item["pk"].as_str().unwrap().to_owned(), item["id"].as_str().unwrap().to_owned());
            container.create_item(place, &id, item, None).await.unwrap();
        }
    }
}

/// What the emulator answers to a request that came to this address of its account.
async fn answered(
    emulator: &InMemoryEmulatorHttpClient,
    url: &Url,
    method: &Method,
    path: &FullPath,
    query: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Response<Vec<u8>> {
    let mut url = url.join(path.as_str().trim_start_matches('/')).unwrap();
    url.set_query(Some(query).filter(|query| !query.is_empty()));
    let mut request = Request::new(url, method.as_str().parse().unwrap());
    for (name, value) in headers {
        request.insert_header(name.as_str().to_owned(), value.to_str().unwrap().to_owned());
    }
    if !body.is_empty() {
        request.set_body(body);
    }
    let answer = emulator.execute_request(&request).await.unwrap().try_into_raw_response().await.unwrap();
    let mut response = Response::builder().status(u16::from(answer.status()));
    for (name, value) in answer.headers().iter() {
        response = response.header(name.as_str(), value.as_str());
    }
    response.body(answer.body().as_ref().to_vec()).unwrap()
}

/// A region of an account, over plain HTTP, that can be out of reach.
struct Region {
    address: SocketAddr,
    url: Url,
    up: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Region {
    /// Not yet in reach, on a port that nobody else has.
    async fn new() -> Region {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        Region { address, url: Url::parse(&format!("http://{address}/")).unwrap(), up: None }
    }

    async fn goes_up(&mut self, emulator: &Arc<InMemoryEmulatorHttpClient>) {
        let (emulator, url) = (emulator.clone(), self.url.clone());
        let request = warp::method().and(warp::path::full()).and(warp::query::raw().or(warp::any().map(String::new)).unify());
        let routes = request.and(warp::header::headers_cloned()).and(warp::body::bytes()).then(
            move |method: Method, path: FullPath, query: String, headers: HeaderMap, body: Bytes| {
                let (emulator, url) = (emulator.clone(), url.clone());
                async move { answered(&emulator, &url, &method, &path, &query, &headers, body).await }
            },
        );
        let (stop, stopped) = oneshot::channel();
        let listener = TcpListener::bind(self.address).await.unwrap();
        let server = warp::serve(routes).incoming(listener).graceful(async { drop(stopped.await) }).run();
        self.up = Some((stop, tokio::spawn(server)));
    }

    /// Refuses connections, and has ended those that were open.
    async fn goes_down(&mut self) {
        let (stop, server) = self.up.take().unwrap();
        stop.send(()).unwrap();
        server.await.unwrap();
    }
}

async fn over_http() -> (CosmosServer, CosmosDocuments) {
    let server = CosmosServer::start().await;
    let services = Services::with(Arc::new(Anyone), azure_core::http::new_http_client(None));
    let documents = CosmosDocuments::new(&server.address, &services, Arc::new(TestClock::new())).unwrap();
    (server, documents)
}

fn new(id: &str) -> Write {
    Write::Create(NewDocument { id: id.to_owned(), kind: "ticket".to_owned(), keys: Default::default(), expires_at: None, body: b"words".to_vec() })
}

#[tokio::test]
async fn what_was_out_of_reach_a_moment_ago_is_read_there_and_in_no_other_region() {
    let (mut east, mut west) = (Region::new().await, Region::new().await);
    let emulator = emulator_of(vec![VirtualRegion::new("East US", east.url.clone()), VirtualRegion::new("West US", west.url.clone())]);
    east.goes_up(&emulator).await;
    west.goes_up(&emulator).await;
    let services = Services::with(Arc::new(Anyone), azure_core::http::new_http_client(None));
    let documents = CosmosDocuments::new(east.url.as_str(), &services, Arc::new(TestClock::new())).unwrap();
    documents.commit("t:contoso", vec![new("before")]).await.unwrap();
    // What is written from now on is not known in the west.
    emulator.store().pause_replication("West US");
    for times in [1, 15] {
        east.goes_down().await;
        for _ in 0..times {
            let read = documents.get("t:contoso", "before").await;
            assert!(matches!(read, Err(Fault::Unavailable(_))), "another region answered: {read:?}");
        }
        east.goes_up(&emulator).await;
        let id = format!("after-{times}");
        documents.commit("t:contoso", vec![new(&id)]).await.unwrap();
        assert!(documents.get("t:contoso", &id).await.unwrap().is_some(), "after {times} reads that failed");
    }
}

#[tokio::test]
async fn a_busy_account_says_so() {
    let (server, documents) = over_http().await;
    documents.commit("t:contoso", vec![new("a")]).await.unwrap();
    server.turns(Weather::Busy);
    assert!(matches!(documents.get("t:contoso", "a").await, Err(Fault::Throttled { .. })));
    assert!(matches!(documents.commit("t:contoso", vec![new("b")]).await, Err(Fault::Throttled { .. })));
    server.turns(Weather::Fair);
    assert!(documents.get("t:contoso", "a").await.unwrap().is_some());
    assert!(documents.get("t:contoso", "b").await.unwrap().is_none(), "it took no effect");
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_fails_and_stands() {
    let (server, documents) = over_http().await;
    documents.commit("t:contoso", vec![new("a")]).await.unwrap();
    server.turns(Weather::Deaf);
    let lost = documents.commit("t:contoso", vec![new("b"), new("c")]).await;
    assert!(matches!(lost, Err(Fault::Unavailable(_) | Fault::Conflict)), "{lost:?}");
    server.turns(Weather::Fair);
    assert!(documents.get("t:contoso", "b").await.unwrap().is_some() && documents.get("t:contoso", "c").await.unwrap().is_some());
    assert_eq!(documents.commit("t:contoso", vec![new("b"), new("c")]).await, Err(Fault::Conflict), "who runs again finds it");
}

#[tokio::test]
async fn an_account_that_hangs_is_given_up_in_time_by_all_who_wait() {
    let (server, documents) = over_http().await;
    documents.commit("t:contoso", vec![new("a")]).await.unwrap();
    server.turns(Weather::Hanging);
    let began = Instant::now();
    let (one, other, commit) =
        futures::join!(documents.get("t:contoso", "a"), documents.get("t:contoso", "a"), documents.commit("t:contoso", vec![new("b")]));
    assert!(matches!((one, other, commit), (Err(Fault::Unavailable(_)), Err(Fault::Unavailable(_)), Err(Fault::Unavailable(_)))));
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_account_that_does_not_answer_the_first_look_keeps_nobody_waiting_for_another() {
    // It accepts and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let services = Services::with(Arc::new(Anyone), azure_core::http::new_http_client(None));
    let address = format!("http://{}/", silent.local_addr().unwrap());
    let documents = CosmosDocuments::new(&address, &services, Arc::new(TestClock::new())).unwrap();
    let began = Instant::now();
    let asked = futures::future::join_all((0..3).map(|_| documents.get("t:contoso", "a"))).await;
    assert!(asked.iter().all(|answer| matches!(answer, Err(Fault::Unavailable(_)))), "{asked:?}");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}
