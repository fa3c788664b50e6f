/** `config.json` of a diffusers `UNet2DModel`, and what of it can be built. */
import { z } from 'zod';
import { showIssues, UserError } from '../../errors.ts';

const side = z.int().positive();
/** Beyond this a number is damage, not design. */
const count = z.int().positive().max(65536);
const blocks = z.array(z.string()).min(1).max(16);

/** Defaults are those of the class; what is not read here does not change the network. */
const schema = z.looseObject({
  _class_name: z.string().default('UNet2DModel'),
  sample_size: z.union([side, z.tuple([side, side])]).nullish(),
  in_channels: count.default(3),
  out_channels: count.default(3),
  center_input_sample: z.boolean().default(false),
  time_embedding_type: z.string().default('positional'),
  time_embedding_dim: count.nullish(),
  freq_shift: z.number().default(0),
  flip_sin_to_cos: z.boolean().default(true),
  down_block_types: blocks,
  mid_block_type: z.string().nullish().default('UNetMidBlock2D'),
  up_block_types: blocks,
  block_out_channels: z.array(count).min(1),
  layers_per_block: z.int().min(1).max(64).default(2),
  mid_block_scale_factor: z.number().positive().default(1),
  downsample_padding: z.int().nonnegative().default(1),
  downsample_type: z.string().nullish(),
  upsample_type: z.string().nullish(),
  act_fn: z.string().default('silu'),
  attention_head_dim: count.nullish().default(8),
  norm_num_groups: count.default(32),
  attn_norm_num_groups: count.nullish(),
  norm_eps: z.number().positive().default(1e-5),
  resnet_time_scale_shift: z.string().default('default'),
  add_attention: z.boolean().default(true),
  class_embed_type: z.string().nullish(),
  num_class_embeds: count.nullish(),
});

export type Config = z.infer<typeof schema>;

const downBlocks = ['DownBlock2D', 'AttnDownBlock2D', 'ResnetDownsampleBlock2D'];
const upBlocks = ['UpBlock2D', 'AttnUpBlock2D', 'ResnetUpsampleBlock2D'];

/**
 * @param where the file, for messages
 * @throws UserError for a config of another class, or with a part that cannot be built
 */
export function parseConfig(content: unknown, where: string): Config {
  const parsed = schema.safeParse(content);
  if (!parsed.success)
    throw new UserError(
      `${where}: not the config of a UNet2DModel: ${showIssues(parsed.error, 'config')}`,
    );
  const config = parsed.data;
  const refused = obstacles(config);
  if (refused.length > 0)
    throw new UserError(`${where}: cannot be imported: ${refused.join('; ')}`, {
      hint: 'export the network to ONNX instead, with torch.onnx.export',
    });
  return config;
}

function obstacles(c: Config): string[] {
  const found: string[] = [];
  const only = (field: keyof Config, allowed: readonly unknown[]): void => {
    const given: unknown[] = Array.isArray(c[field]) ? c[field] : [c[field]];
    const odd = given.filter((v) => v !== null && v !== undefined && !allowed.includes(v));
    if (odd.length > 0)
      found.push(`${String(field)} is ${odd.join(', ')}, supported: ${allowed.join(', ')}`);
  };
  only('_class_name', ['UNet2DModel']);
  only('time_embedding_type', ['positional']);
  only('down_block_types', downBlocks);
  only('up_block_types', upBlocks);
  only('mid_block_type', ['UNetMidBlock2D']);
  only('act_fn', ['silu', 'swish']);
  only('downsample_type', ['conv', 'resnet']);
  only('upsample_type', ['conv', 'resnet']);
  only('downsample_padding', [0, 1]);
  only('resnet_time_scale_shift', ['default', 'scale_shift']);
  if (c.class_embed_type) found.push(`class_embed_type ${c.class_embed_type}`);
  const levels = c.block_out_channels.length;
  if (c.down_block_types.length !== levels || c.up_block_types.length !== levels)
    found.push(
      `${c.down_block_types.length} down blocks, ${c.up_block_types.length} up blocks and ${levels} numbers of channels, expected as many of each`,
    );
  for (const channels of c.block_out_channels) {
    if (channels % c.norm_num_groups !== 0)
      found.push(`${channels} channels in ${c.norm_num_groups} groups`);
    if (channels % (c.attention_head_dim ?? channels) !== 0)
      found.push(`${channels} channels in heads of ${c.attention_head_dim}`);
  }
  return found;
}
