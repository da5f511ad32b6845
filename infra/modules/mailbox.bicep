// Connects one Microsoft 365 mailbox: each minute a Logic App hands its new mails to the intake, by the contract in the README, and moves them
// to the folder Archive. It is its own identity everywhere; there is no password, no consent of a person and no connector.
//
// Why plain HTTP actions and not the connectors: `Put a message on a queue` has no expiry to set, so a message would be lost after seven days,
// and the Outlook connector acts as the person who signed in once. The queue's own interface takes -1, which is never.
//
// A run that breaks off before the mail was moved hands it over once more in the next one, which the intake knows for the same mail.
//
// Not promised: that a mail with raw bytes that are no UTF-8 arrives unchanged. Graph calls mails text, and Logic Apps reads text as UTF-8.

@description('Name of the workflow: 1 to 43 letters, digits and hyphens. It holds no address, because the platform logs names.')
@minLength(1)
@maxLength(43)
param name string

@description('Azure region.')
param location string

@description('Address of the mailbox, which is a mailbox of this directory and stands in the help desk as a mailbox of a tenant.')
param mailbox string

@description('Name of the data account.')
param dataAccountName string

@description('Resource id of the role that adds blobs.')
param feederRoleId string

@description('Resource id of the group that is told when it fails.')
param actionGroupId string

@description('Resource id of the workspace of the audit logs.')
param auditWorkspaceId string

@description('Where Microsoft Graph is: https://graph.microsoft.com, but for sovereign clouds.')
param graph string

// Mails of one run. With one run a minute that is 72,000 a day.
var mailsMax = 50
// The audience of every storage account; the slash belongs to it.
var storage = 'https://storage.azure.com/'
var date = '@{formatDateTime(utcNow(), \'r\')}'
var storageVersion = '2023-11-03'
var inbox = '${graph}/v1.0/users/@{parameters(\'mailbox\')}/mailFolders/inbox/messages'
var message = '${graph}/v1.0/users/@{parameters(\'mailbox\')}/messages/@{items(\'Each_mail\')[\'id\']}'

// Keeps addresses, ids and mails out of what the run history shows.
var secret = { secureData: { properties: ['inputs', 'outputs'] } }
var tries = { type: 'exponential', count: 4, interval: 'PT7S', maximumInterval: 'PT1H', minimumInterval: 'PT5S' }

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: dataAccountName

  resource blobs 'blobServices' existing = {
    name: 'default'
    resource intake 'containers' existing = { name: 'mail-intake' }
  }

  resource queueService 'queueServices' existing = {
    name: 'default'
    resource intake 'queues' existing = { name: 'mail-intake' }
  }
}

resource workflow 'Microsoft.Logic/workflows@2019-05-01' = {
  name: name
  location: location
  identity: { type: 'SystemAssigned' }
  properties: {
    state: 'Enabled'
    parameters: { mailbox: { value: mailbox } }
    definition: {
      '$schema': 'https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#'
      contentVersion: '1.0.0.0'
      parameters: { mailbox: { type: 'String' } }
      triggers: {
        Each_minute: {
          type: 'Recurrence'
          recurrence: { frequency: 'Minute', interval: 1 }
          // Two at once would hand over the same mails.
          runtimeConfiguration: { concurrency: { runs: 1 } }
        }
      }
      actions: {
        List_the_inbox: {
          type: 'Http'
          runAfter: {}
          inputs: {
            method: 'GET'
            uri: '${inbox}?$select=id&$orderby=receivedDateTime%20asc&$top=${mailsMax}'
            // The id of a mail stays the same when it is moved.
            headers: { Prefer: 'IdType="ImmutableId"' }
            authentication: { type: 'ManagedServiceIdentity', audience: graph }
            retryPolicy: tries
          }
          runtimeConfiguration: secret
        }
        Each_mail: {
          type: 'Foreach'
          runAfter: { List_the_inbox: ['Succeeded'] }
          foreach: '@body(\'List_the_inbox\')?[\'value\']'
          runtimeConfiguration: { concurrency: { repetitions: 10 } }
          actions: {
            Name_the_blob: {
              type: 'Compose'
              runAfter: {}
              inputs: '@concat(utcNow(\'yyyy/MM/dd\'), \'/\', guid(), \'.eml\')'
            }
            Get_the_mail: {
              type: 'Http'
              runAfter: { Name_the_blob: ['Succeeded'] }
              inputs: {
                method: 'GET'
                uri: '${message}/$value'
                headers: { Prefer: 'IdType="ImmutableId"' }
                authentication: { type: 'ManagedServiceIdentity', audience: graph }
                retryPolicy: tries
              }
              runtimeConfiguration: secret
            }
            Write_the_blob: {
              type: 'Http'
              runAfter: { Get_the_mail: ['Succeeded'] }
              inputs: {
                method: 'PUT'
                uri: '${account.properties.primaryEndpoints.blob}mail-intake/@{outputs(\'Name_the_blob\')}'
                headers: {
                  'Content-Type': 'message/rfc822'
                  'x-ms-blob-type': 'BlockBlob'
                  'x-ms-version': storageVersion
                  'x-ms-date': date
                }
                body: '@body(\'Get_the_mail\')'
                authentication: { type: 'ManagedServiceIdentity', audience: storage }
                retryPolicy: tries
              }
              runtimeConfiguration: secret
            }
            Write_the_message: {
              type: 'Compose'
              runAfter: { Write_the_blob: ['Succeeded'] }
              inputs: { v: 1, mailbox: '@parameters(\'mailbox\')', blob: '@outputs(\'Name_the_blob\')' }
              // A Compose knows no other; with its inputs its outputs are hidden too.
              runtimeConfiguration: { secureData: { properties: ['inputs'] } }
            }
            Send_the_message: {
              type: 'Http'
              runAfter: { Write_the_message: ['Succeeded'] }
              inputs: {
                method: 'POST'
                uri: '${account.properties.primaryEndpoints.queue}mail-intake/messages?messagettl=-1'
                headers: { 'Content-Type': 'application/xml', 'x-ms-version': storageVersion, 'x-ms-date': date }
                body: '<QueueMessage><MessageText>@{base64(string(outputs(\'Write_the_message\')))}</MessageText></QueueMessage>'
                authentication: { type: 'ManagedServiceIdentity', audience: storage }
                retryPolicy: tries
              }
              runtimeConfiguration: secret
            }
            Move_the_mail: {
              type: 'Http'
              runAfter: { Send_the_message: ['Succeeded'] }
              inputs: {
                method: 'POST'
                uri: '${message}/move'
                headers: { 'Content-Type': 'application/json', Prefer: 'IdType="ImmutableId"' }
                body: { destinationId: 'archive' }
                authentication: { type: 'ManagedServiceIdentity', audience: graph }
                retryPolicy: tries
              }
              runtimeConfiguration: secret
            }
          }
        }
      }
      outputs: {}
    }
  }
}

resource adds 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account::blobs::intake
  name: guid(account.id, workflow.id, 'adds')
  properties: { principalId: workflow.identity.principalId, principalType: 'ServicePrincipal', roleDefinitionId: feederRoleId }
}

resource sends 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account::queueService::intake
  name: guid(account.id, workflow.id, 'sends')
  properties: {
    principalId: workflow.identity.principalId
    principalType: 'ServicePrincipal'
    // Storage Queue Data Message Sender
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a')
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: workflow
  name: 'audit'
  properties: {
    workspaceId: auditWorkspaceId
    logs: [{ category: 'WorkflowRuntime', enabled: true }]
  }
}

resource failed 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${name}-failed'
  location: 'global'
  properties: {
    description: 'Mails of a mailbox do not reach the intake. They are still in the mailbox.'
    severity: 1
    enabled: true
    scopes: [workflow.id]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT15M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'failed'
          metricNamespace: 'Microsoft.Logic/workflows'
          metricName: 'RunsFailed'
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: 2
        }
      ]
    }
    actions: [{ actionGroupId: actionGroupId }]
  }
}

output principalId string = workflow.identity.principalId
