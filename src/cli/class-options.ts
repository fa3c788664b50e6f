/** Options of models that are told a class. */
import { option, text } from './options.ts';

export const classOptions = {
  class: option(
    '--class <c>',
    'Simple',
    "class of the images: a number from 0, or a name of the card's classes.names",
    text,
    'none',
  ),
} as const;
