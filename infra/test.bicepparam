// The test environment: small, without private endpoints, open to whom Entra ID knows. It never holds a customer's data, not even a copy: its
// mailboxes are our own, and its backups are of made-up tickets.
using 'main.bicep'

param name = 'hdtest'
param location = 'northeurope'
param secondRegion = ''
param dataRedundancy = 'Standard_LRS'
param backupsRedundancy = 'Standard_ZRS'
param zoneRedundant = false
param private = false

// Put yours here. They are ids, not secrets.
param entraApplication = '00000000-0000-0000-0000-000000000000'
param vendorTenant = '00000000-0000-0000-0000-000000000000'
param smtpUrl = 'smtp://smtp.azurecomm.net:587?tls=required'
param smtpUser = 'helpdesk-test'
param alertAddresses = ['test-alerts@helpdesk.example']

param logLevel = 'debug'
param logGigabytesMax = 1
param auditDays = 30
param instancesMax = 40
param alwaysReady = 0
param requestUnitsMax = 1000
param hardwareKey = false
param locked = false
param backupsLocked = false
param subscriptionWide = false
