// Every word of the page in both languages, and how values and times are written.

const WORDS = {
  en: {
    language: "中文", languageLabel: "切换到中文", skip: "Skip to the alerts",
    alerts: "Open alerts", noAlerts: "No open alerts.", stations: "Stations", noStations: "No station matches.",
    search: "Search stations", all: "All", more: "{n} more: narrow the search",
    unknown: "Devices nobody registered",
    unknownHint: "They publish, and nothing of it is kept. To register one, put the lines into the stations file.",
    rejections: "What was refused", noRejections: "Nothing was refused.",
    critical: "Critical", major: "Major", minor: "Minor", info: "Info", silent: "Silent", ok: "In order",
    online: "Online", sleeping: "Asleep", offline: "Switched off", lost: "Connection lost", notYet: "Not heard yet",
    pending: "pending", firing: "firing", acknowledged: "acknowledged", resolved: "resolved",
    confirm: "Confirm that it is dealt with", confirmBy: "Your name, for the record:",
    care: "I look after it (quiet for 8 h)", careBy: "Your name, for the record:", caredFor: "{by} looks after it, quiet until {t}",
    toldAgain: "told again {n} times",
    do: "Do:", bring: "Bring:", since: "for {t}", ago: "{t} ago", never: "never", last: "Last reading",
    open: "Alerts: {n}", quiet: "{n} of {m} devices silent", expected: "Expected:", found: "Found:", at: "At:",
    payload: "Payload:", copy: "Copy", copied: "Copied", messages: "messages: {n}", close: "Close", extras: "Not in its profile:",
    ready: "Waystation works: everything can do its job.", notReady: "Waystation cannot do all of its work:",
    fresh: "data {t} old", waiting: "connecting …", lostContact: "No contact for {t}: what you see is old",
    yes: "yes", no: "no", capacity: "Places", inside: "People inside", opens: "Open", whole: "whole message", failed: "Cannot be loaded: {t}",
  },
  zh: {
    language: "English", languageLabel: "Switch to English", skip: "跳到告警",
    alerts: "未关闭告警", noAlerts: "没有未关闭的告警。", stations: "驿站", noStations: "没有符合条件的驿站。",
    search: "搜索驿站", all: "全部", more: "还有 {n} 个，请缩小搜索范围",
    unknown: "未登记的设备",
    unknownHint: "这些设备在上报，但数据不会保存。要登记，请把下列内容写入驿站文件。",
    rejections: "被拒绝的数据", noRejections: "没有被拒绝的数据。",
    critical: "紧急", major: "重要", minor: "一般", info: "提示", silent: "失联", ok: "正常",
    online: "在线", sleeping: "休眠", offline: "已关机", lost: "连接中断", notYet: "尚未上报",
    pending: "待定", firing: "告警中", acknowledged: "已确认", resolved: "已恢复",
    confirm: "确认已处理", confirmBy: "请填写姓名，将记录在案：",
    care: "我来处理（8 小时内不再提醒）", careBy: "请填写姓名，将记录在案：", caredFor: "{by} 正在处理，{t} 前不再提醒",
    toldAgain: "已再次提醒 {n} 次",
    do: "处理：", bring: "携带：", since: "已持续 {t}", ago: "{t}前", never: "从未", last: "最近读数",
    open: "告警 {n} 条", quiet: "{m} 台设备中 {n} 台失联", expected: "应为：", found: "实为：", at: "位置：",
    payload: "报文：", copy: "复制", copied: "已复制", messages: "{n} 条消息", close: "关闭", extras: "配置中没有的指标：",
    ready: "系统运行正常。", notReady: "系统有部分功能无法工作：",
    fresh: "数据 {t}前", waiting: "正在连接……", lostContact: "已失去联系 {t}：所见数据已过时",
    yes: "是", no: "否", capacity: "座位", inside: "在站人数", opens: "开放", whole: "整条消息", failed: "无法加载：{t}",
  },
};

/** What crews bring, as the shipped profiles call it. */
const THINGS_ZH = {
  aed_battery: "AED 电池", batteries: "电池", bolt_cutter: "断线钳", brush: "刷子", cloth: "抹布", door_note: "门上告示", drinks: "饮料",
  fire_blanket: "灭火毯", fuses: "保险丝", ladder: "梯子", master_key: "总钥匙", pads: "电极片", power_banks: "充电宝", replacement_aed: "备用 AED",
  reset_key: "复位钥匙", rubbish_bags: "垃圾袋", screwdriver: "螺丝刀", spare_seal: "备用密封条", spare_sensor: "备用传感器",
  spare_slots: "备用仓位", thermometer: "温度计",
};

function stored() {
  try { return localStorage.getItem("language"); } catch { return null; }
}

let language = WORDS[stored()] ? stored() : (navigator.language || "").startsWith("zh") ? "zh" : "en";

export function toggleLanguage() {
  language = language === "en" ? "zh" : "en";
  try { localStorage.setItem("language", language); } catch { /* private windows keep nothing */ }
}

export const lang = () => language;

export function word(key, values = {}) {
  const text = WORDS[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** A text of the API, `{en, zh}`, in the language of the page. */
export const say = (text) => (text && (text[language] || text.en || text.zh)) || "";

/** Something to bring; what is not known here is shown as its profile has it. */
export const thing = (id) => (language === "zh" && THINGS_ZH[id]) || id.replaceAll("_", " ").replace(/\baed\b/, "AED");

export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [unit, count] = seconds < 90 ? ["s", seconds] : seconds < 5400 ? ["m", Math.round(seconds / 60)]
    : seconds < 129600 ? ["h", Math.round(seconds / 3600)] : ["d", Math.round(seconds / 86400)];
  const names = { en: { s: " s", m: " min", h: " h", d: " d" }, zh: { s: " 秒", m: " 分钟", h: " 小时", d: " 天" } };
  return count + names[language][unit];
}

export function moment(ms) {
  return new Date(ms).toLocaleString(language === "zh" ? "zh-CN" : "en-GB");
}

export function value(metric) {
  if (typeof metric.value === "boolean") return word(metric.value ? "yes" : "no");
  if (typeof metric.value !== "number") return String(metric.value ?? "–");
  if (metric.metric.endsWith("_at")) return moment(metric.value);
  const number = metric.value.toLocaleString(language === "zh" ? "zh-CN" : "en-GB", { maximumFractionDigits: 2 });
  return metric.unit ? `${number} ${metric.unit}` : number;
}
