// Two workspaces. The application's own logs are kept for seven days, as is promised to customers. What the platform says about who touched
// what is kept longer, apart from them, and the application cannot read it.

@description('Name of the workspace of the application\'s logs.')
param logsWorkspaceName string

@description('Name of the workspace of the audit logs.')
param auditWorkspaceName string

@description('Name of Application Insights.')
param insightsName string

@description('Azure region.')
param location string

@description('How long the audit logs are kept, 30 to 730 days.')
@minValue(30)
@maxValue(730)
param auditDays int

@description('The most that the application may log in a day, in GB; what comes after it is lost until the next day.')
@minValue(1)
param applicationGigabytesMax int

// What one week means. Nothing shorter than 4 can be set, and the workspace's own setting cannot go below 30: so each table says it.
var applicationDays = 7

// Every table that Application Insights or a function app's diagnostic setting writes, used by us or not.
var applicationTables = [
  'AppAvailabilityResults'
  'AppBrowserTimings'
  'AppDependencies'
  'AppEvents'
  'AppExceptions'
  'AppMetrics'
  'AppPageViews'
  'AppPerformanceCounters'
  'AppRequests'
  'AppSystemEvents'
  'AppTraces'
  'FunctionAppLogs'
]

resource application 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: logsWorkspaceName
  location: location
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: 30
    workspaceCapping: { dailyQuotaGb: applicationGigabytesMax }
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: false
      immediatePurgeDataOn30Days: true
    }
  }
}

// One after the other: changes of one workspace's tables refuse each other.
@batchSize(1)
resource table 'Microsoft.OperationalInsights/workspaces/tables@2025-02-01' = [
  for each in applicationTables: {
    parent: application
    name: each
    properties: {
      plan: 'Analytics'
      retentionInDays: applicationDays
      totalRetentionInDays: applicationDays
    }
  }
]

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: application.id
    IngestionMode: 'LogAnalytics'
    // The connection string is an address, not a secret: without a token of Entra ID nothing is taken in.
    DisableLocalAuth: true
    DisableIpMasking: false
  }
  // Not before the tables keep what they should.
  dependsOn: [table]
}

resource auditWorkspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: auditWorkspaceName
  location: location
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: auditDays
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: false
    }
  }
}

// Who asked the application's logs what.
resource queries 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: application
  name: 'audit'
  properties: {
    workspaceId: auditWorkspace.id
    logs: [{ category: 'Audit', enabled: true }]
  }
}

output applicationWorkspaceId string = application.id
output applicationWorkspaceCustomerId string = application.properties.customerId
output auditWorkspaceId string = auditWorkspace.id
output insightsId string = insights.id
