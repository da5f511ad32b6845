//! The Cosmos adapter on Microsoft's in-memory emulator.

use std::sync::Arc;

use azure_data_cosmos::{AccountEndpoint, AccountReference, CosmosClient, CosmosRuntimeBuilder, RoutingStrategy};
use azure_data_cosmos_driver::{
    in_memory_emulator::{ConsistencyLevel, InMemoryEmulatorHttpClient, VirtualAccountConfig, VirtualRegion},
    models::PartitionKeyDefinition,
};
use helpdesk::{adapters::azure::cosmos::CosmosDocuments, ports::Documents};

use super::worlds::World;
use crate::support::{TestClock, azure::Anyone};

/// Microsoft's in-memory emulator, in this process. It keeps TTL and never acts on it, so what has expired stays in the way.
pub async fn cosmos() -> World {
    let clock = Arc::new(TestClock::new());
    World { documents: Some(documents(&clock).await), clock, ..World::default() }
}

/// An empty container, as the infrastructure makes it.
pub async fn documents(clock: &Arc<TestClock>) -> Arc<dyn Documents> {
    let url = url::Url::parse("https://eastus.emulator.local").unwrap();
    let account = VirtualAccountConfig::new(vec![VirtualRegion::new("East US", url.clone())]).unwrap();
    let emulator = Arc::new(InMemoryEmulatorHttpClient::new(account.with_consistency(ConsistencyLevel::Session)));
    emulator.store().create_database("helpdesk");
    emulator.store().create_container("helpdesk", "documents", PartitionKeyDefinition::from("/pk"));
    let runtime = CosmosRuntimeBuilder::from(emulator.runtime_builder()).build().await.unwrap();
    let account = AccountReference::with_credential(AccountEndpoint::from(url), Arc::new(Anyone));
    let client = CosmosClient::builder().with_runtime(runtime).build(account, RoutingStrategy::PreferredRegions(vec![])).await.unwrap();
    Arc::new(CosmosDocuments::of(&client, clock.clone()).await.unwrap())
}
