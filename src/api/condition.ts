import { z } from 'zod';

/** A condition as Kubernetes knows it (k8s.io/apimachinery metav1.Condition): what holds of an object, and since when. */
export const conditionSchema = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  observedGeneration: z.int().exactOptional(),
  lastTransitionTime: z.iso.datetime({ offset: true }),
  reason: z.string(),
  message: z.string(),
});
export type Condition = z.output<typeof conditionSchema>;
