// The production environment. It has a subscription of its own: what is set for the whole of it is meant for it alone.
using 'main.bicep'

param name = 'hdprod'
param location = 'northeurope'
param secondRegion = 'westeurope'
param dataRedundancy = 'Standard_GZRS'
param backupsRedundancy = 'Standard_GZRS'
param zoneRedundant = true
param private = true

// Put yours here. They are ids, not secrets.
param entraApplication = '00000000-0000-0000-0000-000000000000'
param vendorTenant = '00000000-0000-0000-0000-000000000000'
param operatorsGroup = ''
param privacyOfficersGroup = ''
param smtpUrl = 'smtp://smtp.azurecomm.net:587?tls=required'
param smtpUser = 'helpdesk'
param alertAddresses = ['alerts@helpdesk.example']

param logLevel = 'info'
param logGigabytesMax = 5
param auditDays = 400
param instancesMax = 40
param alwaysReady = 2
param requestUnitsMax = 10000
param hardwareKey = true
param locked = true
param backupsLocked = false
param subscriptionWide = true

param mailboxes = []
