//! The Cosmos adapter on Microsoft's in-memory emulator.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use azure_core::http::{Request, Url};
use azure_data_cosmos::{AccountEndpoint, AccountReference, CosmosClient, CosmosRuntimeBuilder, FeedScope, Query, RoutingStrategy};
use azure_data_cosmos_driver::{
    in_memory_emulator::{ConsistencyLevel, InMemoryEmulatorHttpClient, VirtualAccountConfig, VirtualRegion},
    models::PartitionKeyDefinition,
};
use futures::TryStreamExt;
use helpdesk::{adapters::azure::cosmos::CosmosDocuments, ports::Documents};
use tokio::net::TcpListener;
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
    let client = CosmosClient::builder().with_runtime(runtime).build(account, RoutingStrategy::PreferredRegions(vec![])).await.unwrap();
    Arc::new(CosmosDocuments::of(&client, clock.clone()).await.unwrap())
}

fn emulator(url: &Url) -> Arc<InMemoryEmulatorHttpClient> {
    let account = VirtualAccountConfig::new(vec![VirtualRegion::new("East US", url.clone())]).unwrap();
    let emulator = Arc::new(InMemoryEmulatorHttpClient::new(account.with_consistency(ConsistencyLevel::Session)));
    emulator.store().create_database("helpdesk");
    emulator.store().create_container("helpdesk", "documents", PartitionKeyDefinition::from("/pk"));
    emulator
}

#[derive(serde::Deserialize)]
struct Id {
    id: String,
}

/// The emulator for other processes: over plain HTTP, which the client speaks to this machine alone.
pub struct CosmosServer {
    pub address: String,
    /// Thousandths of a request unit that its answers have charged.
    pub charged: Arc<AtomicU64>,
}

impl CosmosServer {
    pub async fn start() -> CosmosServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let (url, charged) = (Url::parse(&address).unwrap(), Arc::new(AtomicU64::new(0)));
        let (emulator, counted) = (emulator(&url), charged.clone());
        let request = warp::method().and(warp::path::full()).and(warp::query::raw().or(warp::any().map(String::new)).unify());
        let routes = request.and(warp::header::headers_cloned()).and(warp::body::bytes()).then(
            move |method: Method, path: FullPath, query: String, headers: HeaderMap, body: Bytes| {
                let (emulator, counted, mut url) = (emulator.clone(), counted.clone(), url.join(path.as_str().trim_start_matches('/')).unwrap());
                async move {
                    url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
                    let mut request = Request::new(url, method.as_str().parse().unwrap());
                    for (name, value) in &headers {
                        request.insert_header(name.as_str().to_owned(), value.to_str().unwrap().to_owned());
                    }
                    if !body.is_empty() {
                        request.set_body(body);
                    }
                    let answer = emulator.execute_request(&request).await.unwrap().try_into_raw_response().await.unwrap();
                    let mut response = Response::builder().status(u16::from(answer.status()));
                    for (name, value) in answer.headers().iter() {
                        if name.as_str() == "x-ms-request-charge" {
                            counted.fetch_add((value.as_str().parse::<f64>().unwrap() * 1000.0) as u64, Ordering::Relaxed);
                        }
                        response = response.header(name.as_str(), value.as_str());
                    }
                    response.body(answer.body().as_ref().to_vec()).unwrap()
                }
            },
        );
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        CosmosServer { address, charged }
    }

    /// Takes the items of a partition away, but for those whose ids begin so. The emulator walks through all items for every query, so that what has
    /// been looked at has to go before there are thousands.
    pub async fn forget(&self, partition: &str, but: &str) {
        let account = AccountReference::with_credential(AccountEndpoint::from(Url::parse(&self.address).unwrap()), Arc::new(Anyone));
        let client = CosmosClient::builder().build(account, RoutingStrategy::PreferredRegions(vec![])).await.unwrap();
        let container = client.database_client("helpdesk").container_client("documents", None).await.unwrap();
        let items = container.query_items::<Id>(Query::from("SELECT c.id FROM c"), FeedScope::partition(partition.to_owned()), None).await.unwrap();
        let ids: Vec<Id> = items.try_collect().await.unwrap();
        for Id { id } in ids.into_iter().filter(|item| !item.id.starts_with(but)) {
            container.delete_item(partition.to_owned(), &id, None).await.unwrap();
        }
    }
}
