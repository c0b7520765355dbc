// For load balancers: answers as soon as the server listens.
export default defineEventHandler(event => ({ release: __RELEASE__, task: event.context.task }))
