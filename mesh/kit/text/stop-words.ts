const words = (list: string): ReadonlySet<string> => new Set(list.trim().split(/[\s,]+/));

/** English function words, after the Snowball list (snowballstem.org/algorithms/english/stop.txt). Never indexed, never searched. */
export const ENGLISH_STOP_WORDS = words(`
  a,about,above,after,again,all,also,am,an,and,any,are,aren,as,at,be,because,been,before,being,below,between,both,but,
  by,can,cannot,could,couldn,d,did,didn,do,does,doesn,doing,don,during,each,few,for,from,further,had,hadn,has,hasn,
  have,haven,having,he,her,here,hers,herself,him,himself,his,how,i,if,in,into,is,isn,it,its,itself,just,ll,m,me,more,
  most,my,myself,no,nor,not,of,on,only,or,other,our,ours,ourselves,own,re,s,same,shan,she,should,shouldn,so,some,such,
  t,than,that,the,their,theirs,them,themselves,then,there,these,they,this,those,through,to,too,until,up,ve,very,was,
  wasn,we,were,weren,what,when,where,which,while,who,whom,why,will,with,won,would,wouldn,you,your,yours,yourself,
  yourselves`);

/** Chinese question words, particles and fillers as character bigrams. Indexed, but searched only when a query has nothing else. */
export const CHINESE_STOP_BIGRAMS = words(`
  什么 怎么 么办 怎样 如何 为什 为何 哪些 哪个 哪里 是否 可以 能否 能不 不能 有没 没有 多少 请问 一下 这个 那个 我们 你们
  他们 我的 你的 您的 是什 的是 了吗 的吗 呢吗 么样 么做`);

/** Chinese function characters; a run of Han of length 1 that is one of these carries no meaning. */
export const CHINESE_STOP_CHARACTERS = words(
  '的 了 吗 呢 吧 啊 呀 和 与 或 及 在 是 有 我 你 您 他 她 它 这 那 也 都 就 还 很 被 把 给 对 从 到 为 以 而 但 不 地 得 着 之 其',
);
