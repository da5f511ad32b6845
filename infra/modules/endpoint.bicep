// A private endpoint: one service gets an address in our network, and its public name leads there.

@description('Name of the endpoint.')
param name string

@description('Azure region.')
param location string

@description('Resource id of the subnet.')
param subnetId string

@description('Resource id of what is reached.')
param targetId string

@description('Which part of it: blob, queue, table, Sql or vault.')
param part string

@description('Name of the private DNS zone, which is in this resource group.')
param zoneName string

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' existing = {
  name: zoneName
}

resource endpoint 'Microsoft.Network/privateEndpoints@2025-01-01' = {
  name: name
  location: location
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      { name: part, properties: { privateLinkServiceId: targetId, groupIds: [part] } }
    ]
  }

  resource group 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [{ name: part, properties: { privateDnsZoneId: zone.id } }]
    }
  }
}
