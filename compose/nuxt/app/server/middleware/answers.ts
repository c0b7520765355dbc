import { hostname } from 'node:os'

// Which build and which task have answered; and the faults of start.mjs that are seen in answers.
export default defineEventHandler((event) => {
  event.context.task = hostname()
  setResponseHeaders(event, { 'X-Release': __RELEASE__, 'X-Task': event.context.task })
  const fault = process.env.FAULT
  if (fault === '500' || (fault === 'unhealthy' && event.path === '/health')) {
    throw createError({ statusCode: 500, statusMessage: 'Internal Server Error', message: `FAULT=${fault}` })
  }
})
