// Types that more than one file needs.

@export()
@description('A blob container. `immutableDays`, 1 to 146000: for so long after its creation a blob can be neither changed nor deleted.')
type Container = {
  name: string
  @minValue(1)
  @maxValue(146000)
  immutableDays: int?
}

@export()
@description('What happens to the blobs of a container by their age in days: they move to the cool tier, or they are deleted.')
type LifecycleRule = {
  name: string
  container: string
  @minValue(0)
  coolAfterDays: int?
  @minValue(0)
  deleteAfterDays: int?
}

@export()
@description('Regions of the EU which have Flex Consumption, zones, and a paired region of the EU, where the backups have their second copy.')
type Region = 'northeurope' | 'westeurope' | 'swedencentral' | 'germanywestcentral' | 'francecentral'
