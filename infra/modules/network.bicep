// The network of a private help desk: the application goes out of one subnet, and what it talks to is in the other.

@description('What the names begin with.')
param name string

@description('Azure region.')
param location string

@description('IPv4 range of the network, /16 to /23. The two halves of its first /23 are the subnets.')
param addressPrefix string

@description('Private DNS zones to make: the services whose names lead to private endpoints.')
param zones string[]

// The default rules: in from this network alone, out to anywhere. The mail server stands outside, and so do Entra ID and Azure Monitor.
resource rules 'Microsoft.Network/networkSecurityGroups@2025-01-01' = {
  name: '${name}-rules'
  location: location
}

resource network 'Microsoft.Network/virtualNetworks@2025-01-01' = {
  name: '${name}-network'
  location: location
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: 'application'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 0)
          networkSecurityGroup: { id: rules.id }
          delegations: [{ name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressPrefix, 24, 1)
          networkSecurityGroup: { id: rules.id }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }

  resource application 'subnets' existing = { name: 'application' }
  resource endpoints 'subnets' existing = { name: 'endpoints' }
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for each in zones: {
    name: each
    location: 'global'
  }
]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (each, index) in zones: {
    parent: zone[index]
    name: '${name}-network'
    location: 'global'
    properties: { registrationEnabled: false, virtualNetwork: { id: network.id } }
  }
]

output applicationSubnetId string = network::application.id
output endpointsSubnetId string = network::endpoints.id
