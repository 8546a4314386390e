// SPDX-License-Identifier: Apache-2.0
// The attributes of influxdb-sink (doc/connectors.md) as the options of an InfluxSink.
#pragma once

#include "pipe/connect/connector_plugin.h"
#include "pipe/connect/influx/influx_sink.h"

namespace tidegate {

// Of checked attributes with their own names. Reads the secrets; `files` is where they may lie.
Result<InfluxSinkOptions> read_influx_sink_options(FileSystem& files, const Attributes& attributes);

}  // namespace tidegate
