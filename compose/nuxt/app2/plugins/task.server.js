// What the server knows of itself reaches the browser in the page's state.
export default ({ req, beforeNuxtRender }) => beforeNuxtRender(({ nuxtState }) => { nuxtState.task = req.task })
