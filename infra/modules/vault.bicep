// Key Vault with the key that wraps the tenants' data keys. Secrets are not made here: a person sets `smtp-password`.

@description('Name of the vault: 3 to 24 letters, digits and hyphens, unique in the world, and never again for 90 days after it was deleted.')
@minLength(3)
@maxLength(24)
param name string

@description('Azure region.')
param location string

@description('True: the key is made and used in a hardware security module, and cannot leave it. An existing key stays what it is.')
param hardwareKey bool

@description('True: only private endpoints reach the vault, and `addresses`. False: everybody may knock, and Entra ID decides.')
param private bool

@description('IPv4 addresses or ranges (CIDR) from which people reach a private vault, for `helpdesk keys init`.')
param addresses string[]

@description('True: the whole of it can be deleted only by somebody who removes the lock first.')
param locked bool

@description('Resource id of the workspace for the audit logs.')
param auditWorkspaceId string

// checkov:skip=CKV_AZURE_109: closed in production; open by parameter in the test environment, where Entra ID decides alone
// checkov:skip=CKV_AZURE_189: the same
resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: name
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: hardwareKey ? 'premium' : 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    // For good: without the key nothing that was kept can be read again, so nobody may destroy it in haste.
    enablePurgeProtection: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: private && empty(addresses) ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: private ? 'Deny' : 'Allow'
      ipRules: [for address in addresses: { value: address }]
    }
  }
}

// The name is WRAPPING_KEY of src/keys/mod.rs. A new version each year wraps; the old ones unwrap what they wrapped, also after they expired.
// The second year is for whoever has to notice that the rotation stopped.
// checkov:skip=CKV_AZURE_112: in hardware in production; by parameter not in the test environment
resource key 'Microsoft.KeyVault/vaults/keys@2025-05-01' = {
  parent: vault
  name: 'helpdesk-data'
  properties: {
    kty: hardwareKey ? 'RSA-HSM' : 'RSA'
    keySize: 3072
    keyOps: ['wrapKey', 'unwrapKey']
    attributes: { enabled: true, exportable: false }
    rotationPolicy: {
      attributes: { expiryTime: 'P2Y' }
      lifetimeActions: [
        { trigger: { timeAfterCreate: 'P1Y' }, action: { type: 'rotate' } }
        { trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'notify' } }
      ]
    }
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'audit'
  properties: {
    workspaceId: auditWorkspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (locked) {
  scope: vault
  name: 'keep'
  properties: { level: 'CanNotDelete', notes: 'Holds what customers have trusted us with.' }
}

output id string = vault.id
output url string = vault.properties.vaultUri
