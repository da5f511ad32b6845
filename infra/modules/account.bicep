// One storage account, as this house wants each of its three: Entra ID alone opens it, nothing in it is public, and it says who wrote and deleted.

import { Container, LifecycleRule } from 'types.bicep'

@description('Name of the account: 3 to 24 lowercase letters and digits, unique in the world.')
@minLength(3)
@maxLength(24)
param name string

@description('Azure region.')
param location string

@description('How many copies are kept, and where: Standard_LRS in one building, Standard_ZRS in three of a region, Standard_GZRS and Standard_GRS in the paired region too.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param redundancy string

@description('Blob containers to make. With `immutableDays` a blob can be neither changed nor deleted for so many days, by nobody.')
param containers Container[]

@description('Storage queues to make.')
param queues string[] = []

@description('Lifecycle rules of the account. None: no blob is moved or deleted by its age.')
param lifecycleRules LifecycleRule[] = []

@description('True: only private endpoints, `addresses` and what `workflowsEnter` lets in reach the account. False: everybody may knock, and Entra ID decides.')
param private bool

@description('IPv4 addresses or ranges (CIDR) from which people reach a private account, with the command line.')
param addresses string[] = []

@description('True: the Logic Apps of this resource group come past the firewall, as the identity that each has.')
param workflowsEnter bool = false

@description('True: each reading of a blob is logged too. A row is about 1 KB.')
param logReads bool

@description('True: the whole of it can be deleted only by somebody who removes the lock first.')
param locked bool

@description('Resource id of the workspace for the audit logs.')
param auditWorkspaceId string

// checkov:skip=CKV_AZURE_35: closed in production; open by parameter in the test environment, where Entra ID decides alone
// checkov:skip=CKV_AZURE_36: Microsoft's services are let in only where blobs go by their age; what else may come in is named, and shows its own identity
// checkov:skip=CKV_AZURE_59: closed in production; the reason of CKV_AZURE_35 in the test environment
// checkov:skip=CKV_AZURE_206: the check knows the paired region alone; what the host keeps is made anew there, and the test environment is not worth a second copy
resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  kind: 'StorageV2'
  sku: { name: redundancy }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    encryption: {
      keySource: 'Microsoft.Storage'
      requireInfrastructureEncryption: true
      services: {
        blob: { enabled: true, keyType: 'Account' }
        queue: { enabled: true, keyType: 'Account' }
        table: { enabled: true, keyType: 'Account' }
      }
    }
    // With `Disabled` the Logic Apps would be refused as well.
    publicNetworkAccess: private && !workflowsEnter && empty(addresses) ? 'Disabled' : 'Enabled'
    networkAcls: {
      // Behind a firewall the rules of the lifecycle work only as one of Microsoft's services.
      bypass: empty(lifecycleRules) ? 'None' : 'AzureServices'
      defaultAction: private ? 'Deny' : 'Allow'
      ipRules: [for address in addresses: { value: address, action: 'Allow' }]
      resourceAccessRules: workflowsEnter ? [{ resourceId: resourceId('Microsoft.Logic/workflows', '*'), tenantId: tenant().tenantId }] : []
    }
  }
}

// No soft delete and no versions of blobs: what is erased has to be gone, and a mail that lay here in clear must not outlive its intake.
// The other copy is the backup. A deleted container comes back within a week.
resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    containerDeleteRetentionPolicy: { enabled: true, days: 7 }
    deleteRetentionPolicy: { enabled: false }
    isVersioningEnabled: false
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [
  for each in containers: {
    parent: blobs
    name: each.name
    properties: { publicAccess: 'None' }
  }
]

// Unlocked: a template cannot lock. infra/README.md says how, and `immutableDays` goes away once it is done.
resource immutability 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2025-06-01' = [
  for (each, index) in containers: if (each.?immutableDays != null) {
    parent: container[index]
    name: 'default'
    properties: {
      immutabilityPeriodSinceCreationInDays: each.?immutableDays
      allowProtectedAppendWrites: false
    }
  }
]

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = [
  for each in queues: {
    parent: queueService
    name: each
  }
]

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2025-06-01' = if (!empty(lifecycleRules)) {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        for each in lifecycleRules: {
          name: each.name
          type: 'Lifecycle'
          enabled: true
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['${each.container}/'] }
            actions: {
              baseBlob: union(
                each.?coolAfterDays == null ? {} : { tierToCool: { daysAfterCreationGreaterThan: each.?coolAfterDays } },
                each.?deleteAfterDays == null ? {} : { delete: { daysAfterCreationGreaterThan: each.?deleteAfterDays } }
              )
            }
          }
        }
      ]
    }
  }
}

resource blobAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobs
  name: 'audit'
  properties: {
    workspaceId: auditWorkspaceId
    logs: [
      { category: 'StorageRead', enabled: logReads }
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
  }
}

// Reading is left out: the Functions host looks at each queue every two seconds.
resource queueAudit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: queueService
  name: 'audit'
  properties: {
    workspaceId: auditWorkspaceId
    logs: [
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (locked) {
  scope: account
  name: 'keep'
  properties: { level: 'CanNotDelete', notes: 'Holds what customers have trusted us with.' }
}

output blobEndpoint string = account.properties.primaryEndpoints.blob
output queueEndpoint string = account.properties.primaryEndpoints.queue
output id string = account.id
