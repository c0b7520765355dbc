// What `nuxt start` does, and an end at SIGTERM as soon as nobody waits for an answer.
import { createRequire } from 'node:module'

const { loadNuxt } = createRequire(import.meta.url)('nuxt-start')

const nuxt = await loadNuxt('start')
await nuxt.listen(process.env.PORT, process.env.HOST)
console.log(`Listening on http://${process.env.HOST}:${process.env.PORT}`)

process.once('SIGTERM', () => {
  for (const { server } of nuxt.server.listeners) {
    server.close(() => process.exit())
    server.closeIdleConnections()
  }
})
