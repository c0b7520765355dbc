import { hostname } from 'node:os'

// Which build and which task have answered, /health, and the faults of start.mjs that are seen in answers.
export default function (request, response, next) {
  const { RELEASE: release, FAULT } = process.env
  request.task = hostname()
  response.setHeader('X-Release', release)
  response.setHeader('X-Task', request.task)
  const isHealth = request.url === '/health'
  if (!request.url.startsWith('/_nuxt/') && (FAULT === '500' || (FAULT === 'unhealthy' && isHealth))) {
    response.statusCode = 500
    response.end('Internal Server Error')
  } else if (isHealth) {
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ release, task: request.task }))
  } else {
    next()
  }
}
