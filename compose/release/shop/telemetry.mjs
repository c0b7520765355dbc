console.log('telemetry is on')
