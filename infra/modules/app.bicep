// The function app on Flex Consumption, and every setting that it has.

@description('Name of the app: 2 to 60 letters, digits and hyphens, unique in the world; its address is https://NAME.azurewebsites.net.')
@minLength(2)
@maxLength(60)
param name string

@description('Azure region.')
param location string

@description('True: instances are spread over three buildings.')
param zoneRedundant bool

@description('The most instances that run at once, 1 to 1000. Each takes up to 24 mails in parallel.')
@minValue(1)
@maxValue(1000)
param instancesMax int

@description('Instances for HTTP that always run, 0 to 20; 0: the first caller after a pause waits for a start.')
@minValue(0)
@maxValue(20)
param alwaysReady int

@description('Resource id of the subnet through which the app goes out; empty: the open internet.')
param subnetId string

@description('Name of the identity that the app is.')
param identityName string

@description('Name of the Functions host\'s storage account. The package lies in its container `app-package`.')
param hostAccountName string

@description('Name of Application Insights.')
param insightsName string

@description('Resource id of the workspace for the app\'s own logs.')
param logsWorkspaceId string

@description('What the app is told; each has its meaning in the README\'s table of settings. No value is a secret.')
param values {
  cosmosEndpoint: string
  blobEndpoint: string
  backupsEndpoint: string
  queueEndpoint: string
  vaultUrl: string
  logsWorkspaceCustomerId: string
  entraApplication: string
  vendorTenant: string
  smtpUrl: string
  smtpUser: string
  logLevel: string
  keyCacheSeconds: int
  mailInFlightBytes: int
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: identityName
}

resource hostAccount 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: hostAccountName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

// checkov:skip=CKV_AZURE_225: spread over three buildings in production; by parameter not in the test environment
resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: '${name}-plan'
  location: location
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true, zoneRedundant: zoneRedundant }
}

// checkov:skip=CKV_AZURE_17: callers show a token of Entra ID, not a certificate
// checkov:skip=CKV_AZURE_18: Flex Consumption takes no version of HTTP; its front speaks HTTP/2
// checkov:skip=CKV_AZURE_67: the same
// checkov:skip=CKV_AZURE_78: Flex Consumption has no FTP, and refuses a template that says so; the password for it is switched off below
// checkov:skip=CKV_AZURE_212: Flex Consumption counts its instances in functionAppConfig, not here
// checkov:skip=CKV_AZURE_213: Flex Consumption has no path of a health check; its host asks the handler by itself
// checkov:skip=CKV_AZURE_222: this is the API that customers call
resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    clientAffinityEnabled: false
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    keyVaultReferenceIdentity: identity.id
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${hostAccount.properties.primaryEndpoints.blob}app-package'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identity.id }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: 2048
        maximumInstanceCount: instancesMax
        alwaysReady: alwaysReady == 0 ? [] : [{ name: 'http', instanceCount: alwaysReady }]
        triggers: { http: { perInstanceConcurrency: 64 } }
      }
      runtime: { name: 'custom', version: '1.0' }
    }
    // Flex Consumption takes hardly anything here, and refuses the rest: it has no FTP and no remote debugging to switch off.
    siteConfig: { minTlsVersion: '1.2' }
  }

  // No user name and password for deployments either.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

// All of them, one a line: the host's first, then ours. tests/deployment.rs compares ours with src/config.rs.
// checkov:skip=CKV_AZURE_13: these are settings, not the app; and the app checks tokens itself, because they name the tenant and the role
// checkov:skip=CKV_AZURE_63: these are settings, not the app
// checkov:skip=CKV_AZURE_65: the same
// checkov:skip=CKV_AZURE_66: the same
// checkov:skip=CKV_AZURE_80: the same; and there is no .NET in it
// checkov:skip=CKV_AZURE_88: the same; and there are no files outside the package
// checkov:skip=CKV_AZURE_222: the same
resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'appsettings'
  properties: {
    AzureWebJobsStorage__accountName: hostAccount.name
    AzureWebJobsStorage__credential: 'managedidentity'
    AzureWebJobsStorage__clientId: identity.properties.clientId
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
    AZURE_CLIENT_ID: identity.properties.clientId
    COSMOS_DISABLE_IMDS: '1'
    AZURE_COSMOS_HEDGING_ENABLED: 'false'
    HELPDESK_COSMOS: values.cosmosEndpoint
    HELPDESK_BLOBS: values.blobEndpoint
    HELPDESK_BACKUPS: values.backupsEndpoint
    HELPDESK_QUEUES__queueServiceUri: values.queueEndpoint
    HELPDESK_QUEUES__credential: 'managedidentity'
    HELPDESK_QUEUES__clientId: identity.properties.clientId
    HELPDESK_VAULT: values.vaultUrl
    HELPDESK_LOGS: values.logsWorkspaceCustomerId
    HELPDESK_ENTRA_APPLICATION: values.entraApplication
    HELPDESK_VENDOR_TENANT: values.vendorTenant
    HELPDESK_SMTP_URL: contains(values.smtpUrl, '@') ? fail('smtpUrl may hold no user and no password: see smtpUser') : values.smtpUrl
    HELPDESK_SMTP_USER: values.smtpUser
    HELPDESK_LOG: values.logLevel
    HELPDESK_KEY_CACHE_SECONDS: string(values.keyCacheSeconds)
    HELPDESK_MAIL_IN_FLIGHT_BYTES: string(values.mailInFlightBytes)
  }
}

// The same lines as Application Insights has, for the hour in which that is what does not work.
resource hostLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: app
  name: 'logs'
  properties: {
    workspaceId: logsWorkspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [{ category: 'FunctionAppLogs', enabled: true }]
  }
}

output url string = 'https://${app.properties.defaultHostName}'
