// SPDX-License-Identifier: Apache-2.0
// The attributes of file-sink (doc/connectors.md) as the options of a FileSink.
#pragma once

#include "pipe/connect/connector_plugin.h"
#include "pipe/connect/file/file_sink.h"

namespace tidegate {

// Of checked attributes with their own names.
Result<FileSinkOptions> read_file_sink_options(const Attributes& attributes, const ConnectorContext& context);

}  // namespace tidegate
