// SPDX-License-Identifier: Apache-2.0
#include "pipe/connect/file/file_sink_plugin.h"

#include "base/paths.h"
#include "pipe/connect/line_attributes.h"
#include "pipe/engine/pipe_name.h"

namespace tidegate {
namespace {

constexpr PluginKind kKind = PluginKind::kConnector;

std::vector<AttributeSpec> line_protocol_attributes() {
  return {{.name = "line-protocol.target",
           .type = AttributeType::kChoice,
           .default_value = "portable",
           .description = "which servers read the files: any of them, InfluxDB 1.x and 2.x, or 3.x",
           .choices = {"portable", "v1", "v3"}},
          {.name = "line-protocol.unsigned",
           .type = AttributeType::kChoice,
           .default_value = "native",
           .description = "an unsigned integer is written as 5u, or as 5i while it fits",
           .choices = {"native", "integer"}},
          tree_level_attribute(),
          tree_tag_attribute()};
}

std::vector<AttributeSpec> file_sink_attributes() {
  std::vector<AttributeSpec> out = {
      {.name = "directory",
       .description = "where the files are written: an absolute path; it is made where it does not exist",
       .required = true},
      {.name = "file-name", .description = "what their names begin with; without it the name of the pipe"},
      {.name = "format",
       .type = AttributeType::kChoice,
       .default_value = "line-protocol",
       .description = "of the files",
       .choices = {"line-protocol", "csv"}},
      {.name = "rotate-bytes",
       .type = AttributeType::kBytes,
       .default_value = "256MiB",
       .description = "a file is closed at this size",
       .min = 4096},
      {.name = "rotate-interval",
       .type = AttributeType::kDuration,
       .default_value = "1h",
       .description = "a file is closed when it is so old; 0: never by age",
       .min = 0}};
  for (AttributeSpec& spec : line_protocol_attributes()) out.push_back(std::move(spec));
  for (AttributeSpec& spec : gather_attributes({})) out.push_back(std::move(spec));
  return out;
}

// Files that the daemon itself reads, removes or counts must stay apart from those that others take away.
void check_directory(const std::string& directory, const ConnectorContext& context, std::vector<Misfit>* to) {
  if (!directory.starts_with('/')) return to->push_back({"directory", "must be an absolute path"});
  if (context.data_dir.empty()) return;
  for (const std::string& folder : context.own_folders) {
    const std::string own = context.data_dir + "/" + folder;
    if (is_within(directory, own))
      to->push_back({"directory", "lies in " + own + ", which is the daemon's own"});
  }
  if (is_within(context.data_dir, directory))
    to->push_back({"directory", "holds the daemon's data_dir (" + context.data_dir +
                                    "): give the files a folder of their own"});
}

std::vector<Misfit> find_file_sink_misfits(const Attributes& attributes, const ConnectorContext& context) {
  std::vector<Misfit> out;
  if (attributes.values.contains("directory"))
    check_directory(read_text(attributes, "directory"), context, &out);
  const bool named = is_given(attributes, "file-name");
  const Status name = check_pipe_name(named ? read_text(attributes, "file-name") : context.pipe);
  if (!name.ok())
    out.push_back(
        {"file-name", (named ? "is refused: " : "is needed, the name of the pipe is none for files: ") +
                          name.error().detail});
  if (!is_choice(attributes, "format", "csv")) return out;
  for (const AttributeSpec& spec : line_protocol_attributes())
    if (attributes.values.contains(spec.name)) out.push_back({spec.name, "means nothing to csv"});
  return out;
}

Result<std::unique_ptr<Connector>> make_file_sink(Env env, const Attributes& attributes,
                                                  const ConnectorContext& context) {
  TG_TRY(FileSinkOptions options, read_file_sink_options(attributes, context));
  return std::unique_ptr<Connector>(std::make_unique<FileSink>(env, std::move(options)));
}

}  // namespace

Result<FileSinkOptions> read_file_sink_options(const Attributes& attributes,
                                               const ConnectorContext& context) {
  FileSinkOptions o;
  o.directory = read_text(attributes, "directory");
  o.name = is_given(attributes, "file-name") ? read_text(attributes, "file-name") : context.pipe;
  if (is_choice(attributes, "format", "csv")) o.format = FileFormat::kCsv;
  TG_TRY(o.rotate_bytes, read_bytes(attributes, kKind, "rotate-bytes", o.rotate_bytes));
  TG_TRY(o.rotate_interval, read_duration(attributes, kKind, "rotate-interval", o.rotate_interval));
  if (is_choice(attributes, "line-protocol.target", "v1")) o.mapping.target = influx::WriterTarget::kV1;
  if (is_choice(attributes, "line-protocol.target", "v3")) o.mapping.target = influx::WriterTarget::kV3;
  if (is_choice(attributes, "line-protocol.unsigned", "integer"))
    o.mapping.unsigned_policy = influx::UnsignedPolicy::kAsInteger;
  TG_TRY(o.mapping.tree_level, read_tree_level(attributes));
  o.mapping.tree_tag = read_text(attributes, "tree-tag", o.mapping.tree_tag);
  TG_TRY(o.gather, read_gather_options(attributes, o.gather));
  return o;
}

ConnectorPlugin file_sink_plugin() {
  return {.info = builtin_connector("file-sink", {"file-connector"}, "FileSink", file_sink_attributes()),
          .find_misfits = find_file_sink_misfits,
          .make = make_file_sink};
}

}  // namespace tidegate
