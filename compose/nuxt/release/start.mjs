// Starts the server that is named by the first argument, with the faults of a bad release:
//   BOOT_SECONDS=N      it listens N seconds later
//   FAULT=crash         it exits with code 1 instead
//   FAULT=unhealthy     /health answers 500 (server/middleware/answers)
//   FAULT=500           everything that is not a static file answers 500 (the same)
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

const { BOOT_SECONDS = '0', FAULT = '' } = process.env

if (!['', 'crash', 'unhealthy', '500'].includes(FAULT)) {
  console.error(`FAULT=${FAULT}: it is crash, unhealthy or 500`)
  process.exit(2)
}
// Node as a container's first process would not end at SIGTERM before the server has its own handler.
const end = () => process.exit(143)
process.once('SIGTERM', end)
await setTimeout(Number(BOOT_SECONDS) * 1000)
if (FAULT === 'crash') {
  console.error('Error: the configuration of this release is broken (FAULT=crash)')
  process.exit(1)
}
process.off('SIGTERM', end)
await import(pathToFileURL(process.argv[2]))
