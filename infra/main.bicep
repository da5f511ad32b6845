// One help desk in one resource group: test.bicepparam and production.bicepparam say how large. infra/README.md says what to do with it.
//
// No parameter and no output is a secret. None of this has been deployed yet: what is checked is that it builds, and what it would make.

targetScope = 'resourceGroup'

import { Region } from 'modules/types.bicep'

@description('What every name begins with: 3 to 7 lowercase letters and digits, a letter first.')
@minLength(3)
@maxLength(7)
param name string

@description('Where everything is, and where all that customers have sent stays.')
param location Region

@description('Region of a second copy of the documents; empty: none. Only regions of the EU.')
param secondRegion Region | ''

@description('Copies of raw mails and attachments: Standard_LRS in one building, Standard_ZRS in three, Standard_GZRS in the paired region of the EU too.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GZRS'])
param dataRedundancy string

@description('Copies of the backups, as above.')
@allowed(['Standard_ZRS', 'Standard_GZRS'])
param backupsRedundancy string

@description('True: documents and instances are spread over three buildings.')
param zoneRedundant bool

@description('True: storage, documents and keys are reached over private endpoints alone. False: from everywhere, and Entra ID decides.')
param private bool

@description('IPv4 range of the private network, /16 to /23.')
param addressPrefix string = '10.71.0.0/23'

@description('IPv4 addresses or ranges (CIDR, up to /30) from which people reach private storage, documents and keys with the command line. Empty again afterwards.')
param peopleAddresses string[] = []

@description('Application id (GUID) in Entra ID whose access tokens are accepted.')
@minLength(36)
@maxLength(36)
param entraApplication string

@description('Directory id (GUID) of the vendor: only its people are operators and privacy officers.')
@minLength(36)
@maxLength(36)
param vendorTenant string

@description('Object id of the Entra group of the operators; empty: none.')
param operatorsGroup string = ''

@description('Object id of the Entra group of the privacy officers; empty: none.')
param privacyOfficersGroup string = ''

@description('Where mail out goes, without user and password: smtp://HOST:PORT?tls=required or smtps://HOST:PORT.')
param smtpUrl string

@description('User name at the mail server. The password is the secret `smtp-password` of the vault.')
param smtpUser string

@description('Addresses that are told when something is wrong; at least one.')
@minLength(1)
param alertAddresses string[]

@description('Least level that is logged.')
@allowed(['error', 'warn', 'info', 'debug', 'trace'])
param logLevel string = 'info'

@description('The most that the application may log in a day, in GB. A mail takes about 10 KB.')
@minValue(1)
param logGigabytesMax int

@description('How long the audit logs are kept, 30 to 730 days. The application\'s own are kept for 7.')
@minValue(30)
@maxValue(730)
param auditDays int

@description('How long a tenant\'s unwrapped keys stay in memory, in seconds.')
@minValue(60)
@maxValue(3600)
param keyCacheSeconds int = 600

@description('Memory of an instance for mails in work, counted as four times their size, in bytes. An instance has 2048 MB, of which the host needs several hundred.')
@minValue(36700160)
@maxValue(1073741824)
param mailInFlightBytes int = 134217728

@description('The most instances of each function that run at once, 40 to 1000. A queue fills them all only when mails wait.')
@minValue(40)
@maxValue(1000)
param instancesMax int

@description('Instances for HTTP that always run; 0: the first caller after a pause waits for a start. Zone redundant: 0, or 2 and more.')
@minValue(0)
@maxValue(20)
param alwaysReady int

@description('The most request units a second of Cosmos DB, in thousands; a tenth of it is paid when nothing happens.')
@minValue(1000)
@maxValue(1000000)
param requestUnitsMax int

@description('How far back the platform can restore the documents, for operations. Our own backups reach further.')
@allowed(['Continuous7Days', 'Continuous30Days'])
param restoreWindow string = 'Continuous7Days'

@description('True: the wrapping key is made and used in a hardware security module.')
param hardwareKey bool

@description('True: accounts and vault cannot be deleted while their lock is there.')
param locked bool

@description('False on the first deployment. True once the retention of the backups was locked: a locked policy refuses to be written again.')
param backupsLocked bool

@description('Invocations that may fail within 15 minutes before somebody is told.')
@minValue(0)
param failedInvocationsMax int = 10

@description('True: Defender plans, security contact and activity log of the whole subscription. Once in a subscription.')
param subscriptionWide bool

@description('Microsoft 365 mailboxes of this directory to read mail from, as they stand in the help desk.')
param mailboxes string[] = []

@description('Where Microsoft Graph is, for the mailboxes.')
param graph string = 'https://graph.microsoft.com'

var suffix = uniqueString(resourceGroup().id)
var unique = '${name}-${suffix}'
var hostAccountName = '${name}host${suffix}'
var dataAccountName = '${name}data${suffix}'
var backupsAccountName = '${name}back${suffix}'
var logsWorkspaceName = '${name}-logs'
var auditWorkspaceName = '${name}-audit'
var insightsName = '${name}-insights'

// CONTAINER and QUEUE in src/: `mail-intake` of tickets/unprocessed.rs, `mail` of tickets/store.rs, `outbox` of outbox.rs.
var dataContainers = ['mail-intake', 'mail', 'outbox']
// The Functions host moves what failed ten times into the queues of the last two.
var dataQueues = ['mail-intake', 'outbox', 'mail-intake-poison', 'outbox-poison']

// How long a backup of each class can neither be changed nor deleted, in days. The longest says when an erasure is complete.
var backupClasses = [
  { name: 'daily', days: 14 }
  { name: 'weekly', days: 42 }
  { name: 'monthly', days: 400 }
]
// Beside the backups and not immutable: wrapped keys, which have to be destroyed with their tenant, and what was erased, which is added to.
var keptContainers = ['keyring', 'ledger']

// `mail` is written once and seldom read again. What lies in the intake longer than this was never dealt with, and is in clear.
var mailCoolAfterDays = 90
var intakeDaysMax = 400

var zones = {
  blob: 'privatelink.blob.${environment().suffixes.storage}'
  queue: 'privatelink.queue.${environment().suffixes.storage}'
  table: 'privatelink.table.${environment().suffixes.storage}'
  Sql: 'privatelink.documents.azure.com'
  vault: 'privatelink.vaultcore.azure.net'
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${name}-identity'
  location: location
}

module logs 'modules/logs.bicep' = {
  params: {
    logsWorkspaceName: logsWorkspaceName
    auditWorkspaceName: auditWorkspaceName
    insightsName: insightsName
    location: location
    auditDays: auditDays
    applicationGigabytesMax: logGigabytesMax
  }
}

module host 'modules/account.bicep' = {
  params: {
    name: hostAccountName
    location: location
    // Locks, timers and the package: all of it comes back with a deployment.
    redundancy: zoneRedundant ? 'Standard_ZRS' : 'Standard_LRS'
    containers: [{ name: 'app-package' }]
    private: private
    logReads: false
    locked: false
    auditWorkspaceId: logs.outputs.auditWorkspaceId
  }
}

module data 'modules/account.bicep' = {
  params: {
    name: dataAccountName
    location: location
    redundancy: dataRedundancy
    containers: map(dataContainers, each => { name: each })
    queues: dataQueues
    private: private
    addresses: peopleAddresses
    workflowsEnter: !empty(mailboxes)
    // A row for each reading would cost more than the readings.
    logReads: false
    locked: locked
    auditWorkspaceId: logs.outputs.auditWorkspaceId
    lifecycleRules: [
      { name: 'cool-mail', container: 'mail', coolAfterDays: mailCoolAfterDays }
      { name: 'forgotten-intake', container: 'mail-intake', deleteAfterDays: intakeDaysMax }
    ]
  }
}

module backups 'modules/account.bicep' = {
  params: {
    name: backupsAccountName
    location: location
    redundancy: backupsRedundancy
    containers: concat(
      map(backupClasses, each => backupsLocked ? { name: each.name } : { name: each.name, immutableDays: each.days }),
      map(keptContainers, each => { name: each })
    )
    private: private
    addresses: peopleAddresses
    // Few, and the ones that a thief would do.
    logReads: true
    locked: locked
    auditWorkspaceId: logs.outputs.auditWorkspaceId
    // Nobody's role deletes here, so age has to. By Microsoft's word it may not: infra/README.md, "What has not been run".
    lifecycleRules: map(backupClasses, each => { name: 'expired-${each.name}', container: each.name, deleteAfterDays: each.days })
  }
}

module database 'modules/database.bicep' = {
  params: {
    name: unique
    location: location
    secondRegion: secondRegion
    zoneRedundant: zoneRedundant
    requestUnitsMax: requestUnitsMax
    restoreWindow: restoreWindow
    private: private
    addresses: peopleAddresses
    locked: locked
    auditWorkspaceId: logs.outputs.auditWorkspaceId
  }
}

module vault 'modules/vault.bicep' = {
  params: {
    name: unique
    location: location
    hardwareKey: hardwareKey
    private: private
    addresses: peopleAddresses
    locked: locked
    auditWorkspaceId: logs.outputs.auditWorkspaceId
  }
}

module network 'modules/network.bicep' = if (private) {
  params: { name: name, location: location, addressPrefix: addressPrefix, zones: map(items(zones), each => each.value) }
}

var reached = [
  { name: 'host-blob', targetId: resourceId('Microsoft.Storage/storageAccounts', hostAccountName), part: 'blob' }
  { name: 'host-queue', targetId: resourceId('Microsoft.Storage/storageAccounts', hostAccountName), part: 'queue' }
  { name: 'host-table', targetId: resourceId('Microsoft.Storage/storageAccounts', hostAccountName), part: 'table' }
  { name: 'data-blob', targetId: resourceId('Microsoft.Storage/storageAccounts', dataAccountName), part: 'blob' }
  { name: 'data-queue', targetId: resourceId('Microsoft.Storage/storageAccounts', dataAccountName), part: 'queue' }
  { name: 'backups-blob', targetId: resourceId('Microsoft.Storage/storageAccounts', backupsAccountName), part: 'blob' }
  { name: 'documents', targetId: resourceId('Microsoft.DocumentDB/databaseAccounts', unique), part: 'Sql' }
  { name: 'vault', targetId: resourceId('Microsoft.KeyVault/vaults', unique), part: 'vault' }
]

// One after the other: two at once for the same account get in each other's way.
@batchSize(1)
module endpoint 'modules/endpoint.bicep' = [
  for each in reached: if (private) {
    params: {
      name: '${name}-${each.name}'
      location: location
      subnetId: network!.outputs.endpointsSubnetId
      targetId: each.targetId
      part: each.part
      zoneName: zones[each.part]
    }
    dependsOn: [host, data, backups, database, vault]
  }
]

module roles 'modules/roles.bicep' = {
  params: {
    name: unique
    identityName: identity.name
    hostAccountName: hostAccountName
    dataAccountName: dataAccountName
    dataContainers: dataContainers
    dataQueues: dataQueues
    backupsAccountName: backupsAccountName
    addedContainers: map(backupClasses, each => each.name)
    replacedContainers: keptContainers
    databaseAccountName: unique
    vaultName: unique
    insightsName: insightsName
    logsWorkspaceName: logsWorkspaceName
    auditWorkspaceName: auditWorkspaceName
    operatorsGroup: operatorsGroup
    privacyOfficersGroup: privacyOfficersGroup
  }
  dependsOn: [logs, host, data, backups, database, vault]
}

module app 'modules/app.bicep' = {
  params: {
    name: unique
    location: location
    zoneRedundant: zoneRedundant
    instancesMax: instancesMax
    alwaysReady: alwaysReady
    subnetId: private ? network!.outputs.applicationSubnetId : ''
    identityName: identity.name
    hostAccountName: hostAccountName
    insightsName: insightsName
    logsWorkspaceId: logs.outputs.applicationWorkspaceId
    values: {
      cosmosEndpoint: database.outputs.endpoint
      blobEndpoint: data.outputs.blobEndpoint
      backupsEndpoint: backups.outputs.blobEndpoint
      queueEndpoint: data.outputs.queueEndpoint
      vaultUrl: vault.outputs.url
      logsWorkspaceCustomerId: logs.outputs.applicationWorkspaceCustomerId
      entraApplication: entraApplication
      vendorTenant: vendorTenant
      smtpUrl: smtpUrl
      smtpUser: smtpUser
      logLevel: logLevel
      keyCacheSeconds: keyCacheSeconds
      mailInFlightBytes: mailInFlightBytes
    }
  }
  // It starts at once, and needs what it reaches and the right to.
  dependsOn: [roles, endpoint]
}

resource told 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: '${name}-told'
  location: 'global'
  properties: {
    groupShortName: name
    enabled: true
    emailReceivers: [for (address, index) in alertAddresses: { name: 'address-${index}', emailAddress: address, useCommonAlertSchema: true }]
  }
}

module alerts 'modules/alerts.bicep' = {
  params: {
    name: name
    location: location
    actionGroupId: told.id
    auditWorkspaceId: logs.outputs.auditWorkspaceId
    applicationWorkspaceId: logs.outputs.applicationWorkspaceId
    insightsId: logs.outputs.insightsId
    dataAccountName: dataAccountName
    backupsAccountName: backupsAccountName
    databaseAccountName: unique
    failedInvocationsMax: failedInvocationsMax
  }
}

module subscriptionSettings 'modules/subscription.bicep' = if (subscriptionWide) {
  scope: subscription()
  params: { addresses: join(alertAddresses, ';'), auditWorkspaceId: logs.outputs.auditWorkspaceId }
}

module mailbox 'modules/mailbox.bicep' = [
  for (address, index) in mailboxes: {
    params: {
      name: '${name}-mailbox-${uniqueString(address)}'
      location: location
      mailbox: address
      dataAccountName: dataAccountName
      feederRoleId: roles.outputs.feederRoleId
      actionGroupId: told.id
      auditWorkspaceId: logs.outputs.auditWorkspaceId
      graph: graph
    }
    dependsOn: [data]
  }
]

@description('Where callers reach the help desk.')
output url string = app.outputs.url

@description('Where the package is sent to: az functionapp deployment source config-zip --name.')
output functionAppName string = unique

@description('Where the secrets are set.')
output vaultName string = unique

@description('For `helpdesk keys init`.')
output vaultUrl string = vault.outputs.url

@description('Whose retention is to be locked.')
output backupsAccountName string = backupsAccountName

@description('Who reads the mailboxes, in their order: each needs Mail.ReadWrite in Exchange Online, for its mailbox alone.')
output mailboxPrincipals string[] = [for index in range(0, length(mailboxes)): mailbox[index].outputs.principalId]
