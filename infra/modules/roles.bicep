// Who may do what with data: every role assignment of the house but the mailboxes' (mailbox.bicep). infra/README.md has it as a table.
//
// Not promised: who may write role assignments in this resource group can give himself any of these.

@description('What the names of the roles that are made here begin with; they are unique in the directory.')
param name string

@description('Name of the identity that the app is.')
param identityName string

@description('Name of the Functions host\'s storage account.')
param hostAccountName string

@description('Name of the data account.')
param dataAccountName string

@description('Containers of the data account.')
param dataContainers string[]

@description('Queues of the data account.')
param dataQueues string[]

@description('Name of the backup account.')
param backupsAccountName string

@description('Containers that the app only adds to.')
param addedContainers string[]

@description('Containers in which the app also replaces what is there.')
param replacedContainers string[]

@description('Name of the Cosmos DB account.')
param databaseAccountName string

@description('Name of the vault.')
param vaultName string

@description('Name of Application Insights.')
param insightsName string

@description('Name of the workspace of the app\'s logs.')
param logsWorkspaceName string

@description('Name of the workspace of the audit logs.')
param auditWorkspaceName string

@description('Object id of the Entra group of the operators; empty: none.')
param operatorsGroup string

@description('Object id of the Entra group of the privacy officers; empty: none.')
param privacyOfficersGroup string

// Built into Azure, the same in every directory.
var builtIn = {
  blobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  queueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  tableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  // Reads a key's public half, wraps and unwraps: cannot encrypt, sign, change or delete.
  cryptoServiceEncryptionUser: 'e147488a-f6f5-4113-8e2d-b22465e65bf6'
  secretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  secretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
  metricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  monitoringReader: '43d0d8ad-25c7-4714-9337-8ba259a9fe05'
  logAnalyticsReader: '73c42c96-874c-492b-b04d-ab87d138a893'
}

var blob = 'Microsoft.Storage/storageAccounts/blobServices/containers/blobs'
var query = 'Microsoft.OperationalInsights/workspaces/query'

resource adder 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'backup adder')
  properties: {
    roleName: '${name} backup adder'
    description: 'Reads backups and adds new ones. Cannot replace or delete any.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [{ actions: [], notActions: [], dataActions: ['${blob}/read', '${blob}/add/action'], notDataActions: [] }]
  }
}

resource keeper 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'backup keeper')
  properties: {
    roleName: '${name} backup keeper'
    description: 'Reads, adds and replaces what has to be replaceable beside the backups, such as wrapped keys. Cannot delete.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      { actions: [], notActions: [], dataActions: ['${blob}/read', '${blob}/add/action', '${blob}/write'], notDataActions: [] }
    ]
  }
}

resource desk 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'desk')
  properties: {
    roleName: '${name} desk'
    description: 'Reads, adds, replaces and deletes blobs, as the app does. Cannot delete or make a container, as Storage Blob Data Contributor can.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: []
        notActions: []
        dataActions: ['${blob}/read', '${blob}/add/action', '${blob}/write', '${blob}/delete']
        notDataActions: []
      }
    ]
  }
}

resource feeder 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'feeder')
  properties: {
    roleName: '${name} feeder'
    description: 'Writes mails into the intake, once more where an answer was lost. Can neither list, read nor delete any.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [{ actions: [], notActions: [], dataActions: ['${blob}/add/action', '${blob}/write'], notDataActions: [] }]
  }
}

resource logReader 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, 'log reader')
  properties: {
    roleName: '${name} log reader'
    description: 'Reads the tables that the application itself writes, and no other of the workspace.'
    type: 'CustomRole'
    assignableScopes: [resourceGroup().id]
    permissions: [
      {
        actions: [
          'Microsoft.OperationalInsights/workspaces/read'
          '${query}/read'
          '${query}/AppExceptions/read'
          '${query}/AppRequests/read'
          '${query}/AppTraces/read'
          '${query}/FunctionAppLogs/read'
        ]
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
  }
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

// The Functions host keeps its locks, timers and the package here, and asks for these three.

resource hostAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: hostAccountName
}

resource host 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in ['blobDataOwner', 'queueDataContributor', 'tableDataContributor']: {
    scope: hostAccount
    name: guid(hostAccount.id, identity.id, role)
    properties: {
      principalId: identity.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', builtIn[role])
    }
  }
]

// Data: container by container and queue by queue, so that another one in the account is not the app's.

resource dataAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: dataAccountName

  resource blobs 'blobServices' existing = {
    name: 'default'
    resource containers 'containers' existing = [for each in dataContainers: { name: each }]
  }

  resource queueService 'queueServices' existing = {
    name: 'default'
    resource queues 'queues' existing = [for each in dataQueues: { name: each }]
  }
}

resource dataBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (each, index) in dataContainers: {
    scope: dataAccount::blobs::containers[index]
    name: guid(dataAccount.id, each, identity.id, 'blobs')
    properties: {
      principalId: identity.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: desk.id
    }
  }
]

resource dataQueueMessages 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (each, index) in dataQueues: {
    scope: dataAccount::queueService::queues[index]
    name: guid(dataAccount.id, each, identity.id, 'queues')
    properties: {
      principalId: identity.properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', builtIn.queueDataContributor)
    }
  }
]

// Backups: nobody has a role that deletes. What is past its retention is meant to go by the account's lifecycle rules (infra/README.md, "What has not been run").

resource backupsAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: backupsAccountName

  resource blobs 'blobServices' existing = {
    name: 'default'
    resource added 'containers' existing = [for each in addedContainers: { name: each }]
    resource replaced 'containers' existing = [for each in replacedContainers: { name: each }]
  }
}

resource backupsAdded 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (each, index) in addedContainers: {
    scope: backupsAccount::blobs::added[index]
    name: guid(backupsAccount.id, each, identity.id, 'adder')
    properties: { principalId: identity.properties.principalId, principalType: 'ServicePrincipal', roleDefinitionId: adder.id }
  }
]

resource backupsReplaced 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (each, index) in replacedContainers: {
    scope: backupsAccount::blobs::replaced[index]
    name: guid(backupsAccount.id, each, identity.id, 'keeper')
    properties: { principalId: identity.properties.principalId, principalType: 'ServicePrincipal', roleDefinitionId: keeper.id }
  }
]

// Documents: Cosmos DB has roles of its own. 00000000-0000-0000-0000-000000000002 reads and writes items, and cannot touch the account.

resource databaseAccount 'Microsoft.DocumentDB/databaseAccounts@2025-04-15' existing = {
  name: databaseAccountName
}

resource documents 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-04-15' = {
  parent: databaseAccount
  name: guid(databaseAccount.id, identity.id, 'documents')
  properties: {
    principalId: identity.properties.principalId
    roleDefinitionId: '${databaseAccount.id}/sqlRoleDefinitions/00000000-0000-0000-0000-000000000002'
    scope: '${databaseAccount.id}/dbs/helpdesk/colls/documents'
  }
}

// Keys and secrets. The app reads every secret of the vault, so nothing that is not the app's belongs into it.

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
  resource key 'keys' existing = { name: 'helpdesk-data' }
}

resource wrapping 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault::key
  name: guid(vault.id, identity.id, 'wrapping')
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', builtIn.cryptoServiceEncryptionUser)
  }
}

resource secrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: vault
  name: guid(vault.id, identity.id, 'secrets')
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', builtIn.secretsUser)
  }
}

// Logs: the host writes them, and the app reads a slice of them when a breach case needs it frozen.

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource logsWorkspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: logsWorkspaceName
}

resource auditWorkspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: auditWorkspaceName
}

resource publishing 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: insights
  name: guid(insights.id, identity.id, 'publishing')
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', builtIn.metricsPublisher)
  }
}

resource logReading 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: logsWorkspace
  name: guid(logsWorkspace.id, identity.id, 'log reader')
  properties: { principalId: identity.properties.principalId, principalType: 'ServicePrincipal', roleDefinitionId: logReader.id }
}

// People. Better given for hours at a time, by Privileged Identity Management, than here; then leave the groups empty.

resource operatorsWatch 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorsGroup)) {
  name: guid(resourceGroup().id, operatorsGroup, 'watch')
  properties: {
    principalId: operatorsGroup
    principalType: 'Group'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', builtIn.monitoringReader)
  }
}

resource operatorsSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorsGroup)) {
  scope: vault
  name: guid(vault.id, operatorsGroup, 'secrets')
  properties: {
    principalId: operatorsGroup
    principalType: 'Group'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', builtIn.secretsOfficer)
  }
}

resource privacyOfficersAudit 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(privacyOfficersGroup)) {
  scope: auditWorkspace
  name: guid(auditWorkspace.id, privacyOfficersGroup, 'audit')
  properties: {
    principalId: privacyOfficersGroup
    principalType: 'Group'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', builtIn.logAnalyticsReader)
  }
}

output feederRoleId string = feeder.id
