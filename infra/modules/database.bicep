// Cosmos DB: one database with one container. What it has to be stands at the top of src/adapters/azure/cosmos.rs.

@description('Name of the account: 3 to 44 lowercase letters, digits and hyphens, unique in the world.')
@minLength(3)
@maxLength(44)
param name string

@description('Azure region of all writes, and of the application, which must read where it writes.')
param location string

@description('Region of a second copy, which an operator can make the first; empty: none. The last seconds of writes may be missing from it.')
param secondRegion string

@description('True: the copies of a region lie in three buildings.')
param zoneRedundant bool

@description('The most request units a second, 1000 to 1000000 in thousands; a tenth of it is paid when nothing happens. One tenant never gets more than 10000.')
@minValue(1000)
@maxValue(1000000)
param requestUnitsMax int

@description('How far back the whole account can be restored by the platform. Our own backups reach further.')
@allowed(['Continuous7Days', 'Continuous30Days'])
param restoreWindow string

@description('True: only private endpoints reach the account, and `addresses`. False: everybody may knock, and Entra ID decides.')
param private bool

@description('IPv4 addresses or ranges (CIDR) from which people reach a private account, with the command line.')
param addresses string[]

@description('True: the whole of it can be deleted only by somebody who removes the lock first.')
param locked bool

@description('Resource id of the workspace for the audit logs.')
param auditWorkspaceId string

// The first is the region of writes.
var regions = empty(secondRegion) ? [location] : [location, secondRegion]

// checkov:skip=CKV_AZURE_101: closed in production; open by parameter in the test environment, where Entra ID decides alone
resource account 'Microsoft.DocumentDB/databaseAccounts@2025-04-15' = {
  name: name
  location: location
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    locations: [
      for (region, index) in regions: {
        locationName: region
        failoverPriority: index
        isZoneRedundant: zoneRedundant
      }
    ]
    enableMultipleWriteLocations: false
    // Never on its own: a copy may miss the last writes, and a person has to know that before the desk goes on.
    enableAutomaticFailover: false
    // Reads that decide ask for the latest committed version themselves.
    consistencyPolicy: { defaultConsistencyLevel: 'Session' }
    backupPolicy: { type: 'Continuous', continuousModeProperties: { tier: restoreWindow } }
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    publicNetworkAccess: private && empty(addresses) ? 'Disabled' : 'Enabled'
    ipRules: [for address in addresses: { ipAddressOrRange: address }]
    networkAclBypass: 'None'
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2025-04-15' = {
  parent: account
  name: 'helpdesk'
  properties: { resource: { id: 'helpdesk' } }
}

resource container 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-04-15' = {
  parent: database
  name: 'documents'
  properties: {
    options: { autoscaleSettings: { maxThroughput: requestUnitsMax } }
    resource: {
      id: 'documents'
      partitionKey: { kind: 'Hash', version: 2, paths: ['/pk'] }
      // Each document carries its own time to live, or none.
      defaultTtl: -1
      // A query orders by the one property that it has a range of, so no index of two is needed. `kind`, `expires` and `deleted` are looked
      // at only in what was found already.
      indexingPolicy: {
        automatic: true
        indexingMode: 'consistent'
        includedPaths: [
          { path: '/pk/?' }
          { path: '/id/?' }
          { path: '/k1/?' }
          { path: '/k2/?' }
          { path: '/k3/?' }
          { path: '/k4/?' }
        ]
        excludedPaths: [{ path: '/*' }]
      }
    }
  }
}

// `options` above counts when the container is made; this, whenever the parameter changes.
resource throughput 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers/throughputSettings@2025-04-15' = {
  parent: container
  name: 'default'
  properties: { resource: { autoscaleSettings: { maxThroughput: requestUnitsMax } } }
}

// Data-plane requests are left out: they would be a row for each read, with the ids in it.
resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: account
  name: 'audit'
  properties: {
    workspaceId: auditWorkspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [
      { category: 'ControlPlaneRequests', enabled: true }
      { category: 'PartitionKeyStatistics', enabled: true }
    ]
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (locked) {
  scope: account
  name: 'keep'
  properties: { level: 'CanNotDelete', notes: 'Holds what customers have trusted us with.' }
}

output id string = account.id
output endpoint string = account.properties.documentEndpoint
