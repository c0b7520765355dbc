// The shop of ../app with Nuxt 2: RELEASE is a text in the page, in the entry, in the gallery's chunk and in the picture.
const release = process.env.RELEASE || 'a'

export default {
  telemetry: false,
  env: { release },
  head: { title: 'The shop', htmlAttrs: { lang: 'en' }, link: [{ rel: 'icon', href: 'data:,' }] },
  css: ['~/assets/shop.css'],
  plugins: ['~/plugins/task.server.js'],
  serverMiddleware: ['~/server/answers.js'],
  build: {
    extractCSS: true,
    // Nuxt's own names are hashes alone; these also tell what a file is.
    filenames: {
      app: () => '[name].[contenthash:7].js',
      chunk: () => '[name].[contenthash:7].js',
      css: () => '[name].[contenthash:7].css',
      img: () => '[name].[contenthash:7].[ext]',
    },
  },
  // Nothing is fetched ahead: see ../app.
  render: { resourceHints: false },
  router: { prefetchLinks: false },
  hooks: {
    async 'build:before'() {
      const { writePicture } = await import('../release/picture.mjs')
      writePicture('node_modules/.cache/shop/picture.png', release)
    },
  },
}
