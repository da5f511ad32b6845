// What wakes a person. infra/README.md says what to do about each.

@description('What the names begin with.')
param name string

@description('Azure region.')
param location string

@description('Resource id of the group that is told.')
param actionGroupId string

@description('Resource id of the workspace of the audit logs.')
param auditWorkspaceId string

@description('Resource id of the workspace of the application\'s log.')
param applicationWorkspaceId string

@description('Resource id of Application Insights.')
param insightsId string

@description('Name of the data account.')
param dataAccountName string

@description('Name of the backup account.')
param backupsAccountName string

@description('Name of the Cosmos DB account.')
param databaseAccountName string

@description('Invocations, and answers of the API, that may fail within 15 minutes before somebody is told. A retry of the queue counts each time.')
@minValue(0)
param failedInvocationsMax int

// A partition of Cosmos DB holds 20 GB, and cannot be made larger.
var partitionGigabytesMax = 15

// There is no metric of one queue's length, so what came in and went out is counted. What has lain there for more than two days is not.
var poison = '''
let seen = StorageQueueLogs
| where AccountName == '{0}' and OperationName in ('PutMessage', 'DeleteMessage', 'ClearMessages') and StatusCode startswith '2'
| extend Queue = extract('/([a-z0-9-]+-poison)/', 1, Uri)
| where isnotempty(Queue);
let cleared = seen | where OperationName == 'ClearMessages' | summarize Cleared = max(TimeGenerated) by Queue;
seen
| join kind=leftouter cleared on Queue
| where isnull(Cleared) or TimeGenerated > Cleared
| summarize Waiting = countif(OperationName == 'PutMessage') - countif(OperationName == 'DeleteMessage') by Queue
'''

// The same for the queues that the host reads: what came three quarters of an hour ago has gone, or has been tried ten times and lies in the poison queue.
// Nothing else tells of a trigger that does not listen.
var waiting = '''
StorageQueueLogs
| where AccountName == '{0}' and OperationName in ('PutMessage', 'DeleteMessage') and StatusCode startswith '2'
| extend Queue = extract('/(mail-intake|outbox)/', 1, Uri)
| where isnotempty(Queue)
| summarize
    Old = countif(OperationName == 'PutMessage' and TimeGenerated < ago(45m)),
    Late = countif(OperationName == 'PutMessage' and TimeGenerated between (ago(2h) .. ago(45m))),
    Gone = countif(OperationName == 'DeleteMessage'),
    GoneLately = countif(OperationName == 'DeleteMessage' and TimeGenerated > ago(2h)) by Queue
// What came before these two days and went within them would hide as much that waits: that nothing goes at all tells it too.
| extend Waiting = iff(GoneLately == 0, max_of(Late, Old - Gone), Old - Gone)
'''

// The storage account's own word, not the application's: a run is done when its manifest lies there, which is written last.
var backups = '''
StorageBlobLogs
| where TimeGenerated > ago(26h) and AccountName == '{0}'
| where OperationName in ('PutBlob', 'PutBlockList') and StatusCode startswith '2' and Uri contains '/manifest.hdbk'
| summarize Finished = count()
'''

// Cosmos DB reports its largest partitions, found by samples, when their size has changed.
var partitions = '''
CDBPartitionKeyStatistics
| where AccountName =~ '{0}'
| summarize Kilobytes = max(SizeKb) by PartitionKey
'''

// What came after the limit of the day is lost.
var full = '''
_LogOperation
| where TimeGenerated > ago(1d) and Category =~ 'Ingestion' and Detail has 'OverQuota'
| summarize Times = count()
'''

// The host counts an invocation as done whatever status the handler answers over HTTP.
var failing = '''
AppRequests
| where TimeGenerated > ago(15m) and toint(ResultCode) >= 500
| summarize Failed = count()
'''

// A timer that runs every five minutes. Without it nothing else may run either, and a handler that does not start fails no invocation.
var silent = '''
AppRequests
| where TimeGenerated > ago(30m) and Name == 'SweepOutbox' and Success == true
| summarize Runs = count()
'''

var unwell = '''
AppTraces
| where TimeGenerated > ago(1h) and Message has 'a part of the house is not well'
| summarize Parts = count()
'''

var queries = [
  {
    name: 'poison'
    description: 'Messages lie in a poison queue: mail, or a wake-up of the outbox, failed ten times.'
    severity: 2
    query: format(poison, dataAccountName)
    column: 'Waiting'
    dimension: 'Queue'
    workspaceId: auditWorkspaceId
    operator: 'GreaterThan'
    threshold: 0
    frequency: 'PT15M'
  }
  {
    name: 'not-consumed'
    description: 'Messages have lain in a queue for three quarters of an hour: nobody reads it.'
    severity: 1
    query: format(waiting, dataAccountName)
    column: 'Waiting'
    dimension: 'Queue'
    workspaceId: auditWorkspaceId
    operator: 'GreaterThan'
    threshold: 0
    frequency: 'PT15M'
  }
  {
    name: 'no-backup'
    description: 'No backup has been finished for 26 hours.'
    severity: 1
    query: format(backups, backupsAccountName)
    column: 'Finished'
    dimension: ''
    workspaceId: auditWorkspaceId
    operator: 'LessThan'
    threshold: 1
    frequency: 'PT1H'
  }
  {
    name: 'large-partition'
    description: 'A tenant has filled three quarters of the 20 GB that a partition holds.'
    severity: 2
    query: format(partitions, databaseAccountName)
    column: 'Kilobytes'
    dimension: 'PartitionKey'
    workspaceId: auditWorkspaceId
    operator: 'GreaterThan'
    threshold: partitionGigabytesMax * 1024 * 1024
    frequency: 'PT1H'
  }
  {
    name: 'logs-full'
    description: 'The application has logged as much as it may in a day; what comes now is lost.'
    severity: 2
    query: full
    column: 'Times'
    dimension: ''
    workspaceId: applicationWorkspaceId
    operator: 'GreaterThan'
    threshold: 0
    frequency: 'PT15M'
  }
  {
    name: 'failing-answers'
    description: 'The API answers that it failed (HTTP 500 and above).'
    severity: 2
    query: failing
    column: 'Failed'
    dimension: ''
    workspaceId: applicationWorkspaceId
    operator: 'GreaterThan'
    threshold: failedInvocationsMax
    frequency: 'PT5M'
  }
  {
    name: 'silent'
    description: 'For half an hour no sweep of the outbox has succeeded: the application is down, or nothing of it works.'
    severity: 1
    query: silent
    column: 'Runs'
    dimension: ''
    workspaceId: applicationWorkspaceId
    operator: 'LessThan'
    threshold: 1
    frequency: 'PT5M'
  }
  {
    name: 'not-well'
    description: 'The application found at its start that a part is not well.'
    severity: 2
    query: unwell
    column: 'Parts'
    dimension: ''
    workspaceId: applicationWorkspaceId
    operator: 'GreaterThan'
    threshold: 0
    frequency: 'PT15M'
  }
]

resource found 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for each in queries: {
    name: '${name}-${each.name}'
    location: location
    kind: 'LogAlert'
    properties: {
      displayName: '${name}: ${each.name}'
      description: each.description
      severity: each.severity
      enabled: true
      scopes: [each.workspaceId]
      evaluationFrequency: each.frequency
      windowSize: 'P2D'
      autoMitigate: true
      // The tables come into being with their first row.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: each.query
            timeAggregation: 'Total'
            metricMeasureColumn: each.column
            dimensions: empty(each.dimension) ? [] : [{ name: each.dimension, operator: 'Include', values: ['*'] }]
            operator: each.operator
            threshold: each.threshold
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: [actionGroupId] }
    }
  }
]

resource failed 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-failed-invocations'
  location: 'global'
  properties: {
    description: 'Functions of queues and timers fail.'
    severity: 2
    enabled: true
    scopes: [insightsId]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'failed'
          metricNamespace: 'microsoft.insights/components'
          metricName: 'requests/failed'
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: failedInvocationsMax
        }
      ]
    }
    actions: [{ actionGroupId: actionGroupId }]
  }
}
