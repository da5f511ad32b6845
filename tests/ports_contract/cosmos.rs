//! The Cosmos adapter on Microsoft's in-memory emulator.

use std::sync::Arc;

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    time::{Duration, OffsetDateTime},
};
use azure_data_cosmos::{AccountEndpoint, AccountReference, CosmosClient, CosmosRuntimeBuilder, RoutingStrategy};
use azure_data_cosmos_driver::{
    in_memory_emulator::{ConsistencyLevel, InMemoryEmulatorHttpClient, VirtualAccountConfig, VirtualRegion},
    models::PartitionKeyDefinition,
};
use helpdesk::{adapters::azure::cosmos::CosmosDocuments, ports::Documents};

use super::worlds::World;
use crate::support::TestClock;

/// Microsoft's in-memory emulator, in this process. It keeps TTL and never acts on it, so what has expired stays in the way.
pub async fn cosmos() -> World {
    let clock = Arc::new(TestClock::new());
    World { documents: documents(&clock).await, clock, store: None, vault: None, _folder: None }
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
    let container = client.database_client("helpdesk").container_client("documents", None).await.unwrap();
    Arc::new(CosmosDocuments::new(container, clock.clone()))
}

#[derive(Debug)]
struct Anyone;

#[async_trait::async_trait]
impl TokenCredential for Anyone {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new("token", OffsetDateTime::now_utc() + Duration::hours(1)))
    }
}
