// What holds for the whole subscription: Defender's plans, whom Microsoft writes to, and the log of what was changed. Everything else in the
// subscription gets it, and is paid for, too.

targetScope = 'subscription'

@description('Who is told of a danger: addresses, separated by semicolons.')
param addresses string

@description('Resource id of the workspace of the audit logs.')
param auditWorkspaceId string

// App Service is not among them: its plan does not look at Flex Consumption. Nor is the scan of uploads, which is paid by the
// gigabyte; what is not said of a plan's extensions Microsoft decides.
var plans = [
  { name: 'StorageAccounts', subPlan: 'DefenderForStorageV2', without: ['OnUploadMalwareScanning', 'SensitiveDataDiscovery'] }
  { name: 'CosmosDbs', subPlan: null, without: [] }
  { name: 'KeyVaults', subPlan: 'PerKeyVault', without: [] }
  { name: 'Arm', subPlan: 'PerSubscription', without: [] }
]

// One after the other: changes of the plans refuse each other.
// checkov:skip=CKV_AZURE_87: asks each plan to be Key Vault's, which is one of them
@batchSize(1)
resource plan 'Microsoft.Security/pricings@2024-01-01' = [
  for each in plans: {
    name: each.name
    properties: {
      pricingTier: 'Standard'
      subPlan: each.subPlan
      extensions: map(each.without, extension => { name: extension, isEnabled: 'False' })
    }
  }
]

// checkov:skip=CKV_AZURE_20: a person's telephone number does not belong into a repository
// checkov:skip=CKV_AZURE_21: `notificationsSources` and `isEnabled` have taken the place of the property that it looks for
// checkov:skip=CKV_AZURE_22: `notificationsByRole` has taken the place of the property that it looks for
resource contact 'Microsoft.Security/securityContacts@2023-12-01-preview' = {
  name: 'default'
  properties: {
    emails: addresses
    isEnabled: true
    notificationsByRole: { state: 'On', roles: ['Owner'] }
    notificationsSources: [
      { sourceType: 'Alert', minimalSeverity: 'Medium' }
      { sourceType: 'AttackPath', minimalRiskLevel: 'High' }
    ]
  }
}

resource activity 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'helpdesk-audit'
  properties: {
    workspaceId: auditWorkspaceId
    logs: [
      { category: 'Administrative', enabled: true }
      { category: 'Security', enabled: true }
      { category: 'Policy', enabled: true }
      { category: 'Alert', enabled: true }
    ]
  }
}
