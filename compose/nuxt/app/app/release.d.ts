/** The build's RELEASE, put in its place by the bundler. */
declare const __RELEASE__: string
