import { ChatService } from '#gen/ragmesh/chat/v1/chat_pb.ts';
import { refuse, type Scenario } from '../scenario.ts';
import { askWhole, uploadDocument } from './streams.ts';

/** Callers, each of which streams one answer after the other. */
const streamCount = 100;

/** Every pod of every service is replaced by another one while answers stream through all of them. */
export const rollingRestart: Scenario = {
  name: `a rolling restart of every service under ${streamCount} streams breaks none`,
  async run(scene) {
    const { lab, home, provider } = scene;
    await uploadDocument(scene);
    provider.pace = { sentenceCount: 12, gapMs: 500 };
    let isOver = false;
    let answerCount = 0;
    const problems = new Map<string, number>();
    let current = '';
    const callers = Array.from({ length: streamCount }, async (_, caller) => {
      const chat = scene.publicClient(ChatService);
      for (let round = 0; !isOver; round++) {
        const { error } = await askWhole(chat, `What is the fee of rule lab-1? ${caller}-${round}`);
        answerCount++;
        if (error !== '') problems.set(`${current}: ${error}`, (problems.get(`${current}: ${error}`) ?? 0) + 1);
      }
    });
    const replaced: string[] = [];
    try {
      for (const { name: deployment } of lab.options.model.workloads) {
        for (const old of lab.replicasOf(home, deployment)) {
          current = old;
          const next = lab.freePlace(home, deployment);
          await lab.replace(old, next);
          replaced.push(old);
          lab.options.say(
            `  ${old} was replaced by ${next}: ${answerCount} answers, ${[...problems.values()].reduce((a, b) => a + b, 0)} broken`,
          );
        }
      }
    } finally {
      isOver = true;
      await Promise.all(callers);
      provider.pace = { sentenceCount: 1, gapMs: 0 };
    }
    refuse([...problems].map(([problem, count]) => `${count} streams, ${problem}`));
    return `${replaced.length} pods replaced, ${answerCount} streams, 0 broken`;
  },
};
