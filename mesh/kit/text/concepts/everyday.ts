/**
 * Everyday words for the same thing, in Chinese and English: how customers say it, and how documents write it. A line is a concept: its
 * Chinese words, a bar, its English words; "_" joins the words of a phrase. The first two
 * words of each language are those of documents; the others are replaced by them in a search. Words that mean the same only in one
 * business belong to the terms of its tenant. Long because it is one list.
 */
export const EVERYDAY_CONCEPTS = `
价格 价钱 售价 多少钱 多少元 几块钱 几元 啥价 什么价 单价 标价 到手价 | price cost how_much priced expensive
费用 收费 手续费 费率 年费 工本费 | fee fees charge charges charged cost costs pay
免费 免收 不收费 不收 不要钱 包邮 免运费 免邮 不用钱 免票 免息 | free no_charge waived complimentary costs_nothing
运费 邮费 快递费 邮资 面单费 邮寄费 包邮 免运费 | shipping_cost postage shipping_fee freight delivery_fee shipping
押金 保证金 定金 | deposit
折扣 优惠 打折 减免 半价 满减 特价 几折 便宜多少 优惠多少 | discount reduction offer % off money_off half_price
优惠券 券 代金券 | coupon voucher
付款 支付 付钱 给钱 付费 打款 汇款 转账 刷卡 对公 | pay payment paid transfer
退款 返还 退钱 退还 钱退 退给我 钱什么时候退 钱啥时候退 钱多久退 钱几天退 钱怎么退 | refund reimburse money_back paid_back reimburse money_arrives
退货 退回 退掉 拒退 退 退回去 寄回 寄回去 | return returned send_back sent_back send_it_back bring_back send_something_back send_them_back give_back take_back
换货 换一个 更换 调换 换新 换成 换回来 换来 换尺码 换 | exchange swap replace replacement
取消 撤销 撤回 不要了 退订 撤单 | cancel cancelled cancellation undo
赔付 赔偿 赔不赔 补偿 赔多少 赔钱 赔 赔钱吗 有补偿 | compensation compensate compensate make_up_for
延误 逾期 晚到 迟到 晚了 超期 没按时 迟 未按时 超过 还没到 没到 慢了 拖了 超时 迟了 迟到了 还没送到 | late delay delayed overdue behind_schedule takes_too_long
过期 失效 作废 到期 有效期 清零 | expire expiry expired lapse valid validity run_out runs_out
坏 坏了 故障 损坏 质量问题 破损 出问题 毛病 不转 | broken fault faulty defect defective damaged damage
维修 修理 送修 报修 修好 寄修 修 | repair repaired fix workshop
保修 质保 保修期 质保期 保固 三包 保多久 不保 保不保 | warranty guarantee guaranteed covered
配件 零件 部件 备用 备件 单买 单独买 替换装 加重底座 夹具 壶盖 杯盖 刀盘 | spare part parts accessory replacement loose
发货 出库 寄出 发出 | dispatch dispatched leaves ship shipped sent_out
配送 送货 快递 物流 派送 投递 寄到 寄往 发往 寄 送达 送到 | delivery deliver courier carrier shipping
收货 签收 收到 到货 | receive received delivered delivery
地址 收件地址 | address
国外 海外 境外 出国 外国 跨境 | abroad overseas foreign international internationally worldwide
关税 进口税 税费 | duty duties import_tax customs
海关 清关 | customs
发票 开票 专票 普票 | invoice
电话 热线 号码 拨打 打电话 | phone telephone call number hotline
邮箱 邮件 | mail e-mail email
人工 客服 真人 | agent support adviser person staff customer_service customer_support
会员 | member membership loyalty_programme loyalty_program rewards_programme rewards_program
等级 级别 档 | tier level
积分 | points
密码 口令 | password pin
验证码 动态码 | code verification_code
账户 账号 帐号 帐户 户头 | account
注册 开户 登记 注册账号 | register sign_up registration create_an_account open_an_account sign-up
登录 登陆 | sign_in log_in login sign-in
被盗 盗用 盗号 | stolen hacked got_in someone_got_in
丢失 遗失 丢了 弄丢 落在 忘在 找不到 丢 没了 缺 少了 丢件 已丢 都丢了 扔了 扔掉 丢弃 不见了 缺失 | lost lose loss missing left_something left_behind threw_away thrown_away gone
钱包 | wallet
余额 | balance
分期 | instalment installment
货到付款 货到再付 先收货 收货再付 收到再付 到付 到手再付 到了再付 收到货再付 收货后付款 见货付款 先货后款 货到付钱 拿到货再付 | cash_on_delivery pay_on_delivery pay_when_it_arrives pay_on_arrival pay_after_delivery pay_when_i_receive pay_when_it_comes pay_the_courier
其他平台 别的平台 其他店 别家 别的店 拼多多 京东 淘宝 天猫 抖音 亚马逊 其它平台 其他网站 别的网站 外面 | other_shops other_platforms another_shop other_sellers amazon ebay temu other_websites another_website another_store other_stores competitor
营业时间 开放时间 门诊时间 接诊时间 几点开门 几点关门 开门 关门 营业 开放 打烊 收摊 上班 下班 | opening_hours open close closed hours opening closing visiting_hours
闭馆 休息 停业 不营业 关闭 | closed close shut
门票 票价 入场券 车票 | ticket admission
参观 游览 看展 探视 探望 | visit visiting visitor
预约 预订 预定 订 约 | book booking reserve reservation appointment
儿童 小孩 孩子 小朋友 宝宝 婴儿 娃 小孩子 | child children kid baby toddler
成人 大人 | adult
老人 长者 老年人 | senior elderly
利息 免息 | interest
借记卡 银行卡 储蓄卡 | debit_card bank_card
信用卡 | credit_card
学生 | student
孕妇 怀孕 孕期 | pregnant pregnancy
宠物 动物 小动物 | pet pets animal animals
导盲犬 犬 狗 小狗 | dog puppy
猫 小猫 | cat kitten
拍照 摄影 照相 照片 图片 有图 附图 | photo photos photograph picture pictures
携带 带入 带进 带上 可以带 能带 | bring carry take_along
包含 含 包括 附带 内含 包不包 | include included includes including comes_with
不含 不包含 不包括 | not_include exclude excluded
停车 车位 泊车 | parking park
保险 | insurance insured
儿童座椅 | child_seat
颜色 | colour color colours colors
重量 多重 净重 公斤 | weight weigh weighs heavy kg kilo kilogram
尺寸 大小 长宽 尺码 规格 | size dimensions big
容量 水箱 多大 毫升 | capacity volume litre litres
高度 多高 厘米 | height tall high cm
噪声 噪音 分贝 声音 吵 | noise loud sound db
功率 瓦 耗电 用电 | power watt watts electricity kwh
电池 电量 电芯 续航 | battery batteries
充电 充满 | charge charging charged
充电器 适配器 | charger adapter
安装 组装 | install installing installation set_up assemble assembly
升级 更新 固件 | update upgrade firmware
恢复出厂 重置 | factory_reset reset
清洗 下水 水洗 清洁 未下水 洗过 机洗 | clean cleaning wash washing washed unwashed rinse
支持 兼容 接受 可用 | support supported compatible works accept accepted
故障码 代码 报错 错误 | error code error_code fault_code exit_code
限额 上限 最多 最高 封顶 | limit maximum most at_most
最低 最少 起 不少于 门槛 | minimum least at_least
年龄 周岁 几岁 | age old years_old
禁止 不得 不准 严禁 不许 不允许 | forbidden prohibited not_allowed must_not do_not
城市 市区 | city cities town
人工 真人 | human
好处 权益 特权 福利 优势 | benefit benefits extras perks advantages
资料 材料 需要什么 以下六项 信息 证件 | documents papers information needed
要求 条件 规则 规定 | requirement requirements condition conditions rules terms
流程 步骤 操作步骤 办理 手续 | procedure process steps
修改 更正 改 变更 | change changed correct correction edit
写错 打错 输错 错误 填错 | mistake wrong error typo spelling
拒收 拒绝 不收 | refuse refused reject
变形 破损 压扁 | crushed dented
下降 降级 旧版 退回旧版 | downgrade older_version
长期 长时间 | long-term
借 借用 备用机 | loan lend borrow
客人 游客 访客 没有账户 | guest without_an_account without_account
现金 提现 兑现 | cash
送达 到达 到岛 到手 | arrive arrival
时效 送达时间 送达 到达 | transit transit_time delivery_time shipping_time
自提 自取 | pick-up pickup collect
门店 实体店 体验店 店在哪 店在什么地方 你们店 店铺地址 | store shop branch
仓库 仓 | warehouse
工作日 平时 平日 | working_day weekday business_day
周一 星期一 礼拜一 | monday
周二 星期二 礼拜二 | tuesday
周三 星期三 礼拜三 | wednesday
周四 星期四 礼拜四 | thursday
周五 星期五 礼拜五 | friday
周六 星期六 礼拜六 周末 | saturday weekend
周日 星期日 星期天 礼拜天 周末 | sunday weekend
假期 节假日 过年 春节 除夕 | holiday holidays
送礼 礼物 礼盒 包装 | gift present wrapping
转让 转赠 送人 转给 赠送 转移 送给 可赠送 转给别人 给别人 让给 | transfer give_away move moved give_to given_to pass_on gift_to share_with
合并 叠加 一起用 同时用 | combine combined together stack
绑定 关联 | link bind bound
退出 注销 退会 销户 关闭账户 退出会员 删除账户 删号 | close_account delete_account erasure closing leave leaving quit delete_account delete_my_account
个人信息 隐私 数据 | data privacy personal_information
保存 保留 | keep kept stored store
下载 导出 | download export
未送达 没人在家 不在家 没在家 家里没人 没人签收 | missed_delivery missed_parcel nobody_is_home nobody_home no_one_is_home not_at_home not_home nobody_was_home
没有更新 不动 停滞 不更新 没变化 没动静 一直没动 不动了 没动 卡住不动 好几天没动 没有动静 | stuck stands_still not_changed nothing_changes hasn_t_moved not_moved hasn_t_changed no_movement not_updated hasn_t_updated hasn_t_been_updated not_been_updated hasn_t_changed_for no_update no_updates not_moving isn_t_moving stopped_moving
打印 纸质 | print printed printout paper
申诉 投诉 异议 不服 | appeal complain complaint
摔 摔落 掉 跌落 摔坏 摔了 摔碎 摔过 掉地上 磕坏 砸 磕 碰坏 摔到 | drop dropped drops fall fell knocked_over fallen falls
进水 进液 泼 洒 | liquid water spill spilled
以旧换新 旧机 抵扣 旧 | trade-in old
二手 转手 | second-hand second_owner used selling_on
缺货 断货 没货 无货 | out_of_stock sold_out
有货 现货 | in_stock stock
补差 差价 降价 价保 退差价 补差价 补差额 | price_protection price_drop cheaper difference gap price_match match_the_price refund_the_difference
手机 | phone mobile
网络 无线网 | wifi wi-fi network
押后 推迟 延后 | postpone later
迟还 晚还 | late_return overdue
地铁 捷运 公交 坐车 交通 | metro subway bus station
烟花 烟火 | fireworks
电动车 电瓶车 电动自行车 | e-bike electric
水管 水电 | pipe water
贷款 房贷 还款 | loan mortgage repayment
取款 取钱 取现 提现 | withdraw withdrawal cash
备份 | backup
压缩 | compress compressed compression
保存期 留存 | retention kept
试用 用了一次 用过 试过 试了 试一下 用了几次 点亮过 通电 | trial tried_it tried_out used_it_once used_once
结果 报告 | result results report
发布 日期 | published date
年假 带薪休假 年休假 休假 | annual_leave paid_leave vacation vacations pto time_off days_off
病假 生病 请病假 | sick_leave sick_pay sick ill illness
远程办公 居家办公 在家办公 在家上班 在家工作 | remote_work work_from_home working_from_home home_office work_remotely
工资 薪资 薪水 薪酬 月薪 | salary wages wage paycheck
出差 差旅 | business_trip business_travel travel_for_work
报销 报账 | reimbursement reimbursed expense_claim expenses
工牌 门禁卡 胸卡 | badge access_card id_card
产假 陪产假 育儿假 | parental_leave maternity_leave maternity paternity_leave paternity
酒水 酒 白酒 红酒 啤酒 喝酒 饮酒 酒后 | alcohol wine beer alcoholic
单点登录 | single_sign-on single_sign_on sso saml
双重验证 两步验证 双因素认证 二次验证 双因子 | two-factor_authentication two-step_verification factor_authentication step_verification 2fa mfa
公益组织 慈善机构 非营利 非盈利 | nonprofit nonprofits charity charities non-profit non-profits ngo
还原 找回 误删 | restore restored recover undelete deleted_by_accident deleted_by_mistake accidentally_deleted
年轻人 未成年 未成年人 | under_18 minor
借 借书 借阅 借出 外借 | borrow lend lending loan
续借 续 延长借期 | renew renewal extend
到期 期满 届满 到日子 | due expire end
准时 按时 及时 没准时 | on_time punctual
团费 船费 车费 费用包含 报名费 | fare tour_price package_price
共用 共享 一起用 合用 绑定 | share shared joint
拆开 拆封 打开 拆机 自行拆 已拆 启封 拆过 拆了 开封 启封 拆了包装 拆包装 拆了包 | opened unsealed take_apart dismantle opened_the_box unboxed unpacked unwrapped
自行拆机 拆机 拆修 自己拆 我拆 拆过 私自拆 自己修 | opened_the_device taken_apart took_apart dismantled
奖励 奖赏 好处费 推荐 返利 | reward bonus referral refer
充值 充钱 存钱 加钱 | top_up recharge add_money load
跨省 外省 其他省 省外 | another_province
同城 本市 市内 | same_city
钢 不锈钢 金属 铁 | steel metal stainless
白色 黑色 红色 蓝色 绿色 粉色 颜色 | colour color black white red blue green grey
大 更大 大号 大件 较大 大份 大杯 大桶 大碗 大包 大瓶 大盒 大袋 | big bigger large larger biggest largest
小 更小 小号 较小 小份 小杯 小桶 小碗 小包 小瓶 小盒 小袋 | small smaller smallest
快 更快 加急 加快 急 | fast faster quick express urgent rush
慢 更慢 太慢 | slow slower
贵 更贵 太贵 | expensive costly
便宜 更便宜 低价 降价 | cheap cheaper lower_price price_drop
新 全新 新款 | new brand-new
坏点 亮点 | dead_pixel
声音 音量 静音 没声 | sound volume audio mute
画面 图像 屏幕 显示 | picture image screen display
蓝牙 配对 连接 | bluetooth pair connect pairing
遥控器 遥控 | remote_control remote
说明书 手册 使用说明 | manual instructions guide
食物 吃 饮食 餐 早餐 午餐 晚餐 | food meal eat breakfast lunch dinner
饮料 饮品 喝 | drink drinks beverage
餐厅 饭店 餐馆 食堂 | restaurant canteen cafe
房间 住 住宿 入住 客房 酒店 宾馆 | room stay hotel accommodation lodging
单人 一个人 单房差 一人 独自 | single alone one_person
床 双人床 加床 | bed
退房 离店 | check_out checkout
航班 飞机 机票 | flight plane airline
火车 高铁 | train railway
出租车 打车 | taxi cab
船 轮船 渡轮 坐船 | boat ferry ship
集合 碰头 见面 会合 | meet meeting_point gather
返回 返程 返航 回来 回程 | return back
出发 启程 开船 动身 | depart departure leave start
行程 日程 安排 路线 活动安排 | itinerary schedule programme plan
导游 领队 讲解员 | guide
讲解 解说 导览 | guided_tour tour audio_guide
日出 早上 清晨 | sunrise morning
潜水 浮潜 | dive diving snorkel
骑行 骑车 单车 自行车 | bike bicycle cycling ride
头盔 | helmet
租 租赁 出租 租用 租车 | rent rental hire
钥匙 | key keys
轮胎 车胎 | tyre tire tyres
修理包 工具包 | repair_kit
台风 暴雨 恶劣天气 天气 下雨 雨天 下雪 | storm weather rain typhoon snow
停航 停开 不开船 停运 | cancelled suspended
手术 开刀 | surgery operation
医生 大夫 | doctor physician
医院 诊所 | hospital clinic
护士 | nurse
挂号 看病 就诊 门诊 | appointment see_a_doctor consultation
药 药品 药物 | medicine medication drug
疫苗 接种 打针 | vaccine vaccination flu_shot shot jab
化验 验血 检查 检测 | test examination check
自费 没保险 | uninsured without_insurance not_insured
家属 家人 亲属 探视 奶奶 爷爷 | family relative relatives grandma grandpa visitor
气球 鲜花 | balloon flower
轮椅 无障碍 残疾 腿脚不便 | wheelchair disabled accessible accessibility
存包 寄存 行李 储物柜 | locker luggage storage cloakroom bag
雨伞 | umbrella
打火机 火柴 | lighter
三脚架 自拍杆 | tripod selfie_stick
闪光灯 | flash
闭馆 停止入馆 进不去 关门 打烊 | last_entry closing close
成人票 学生票 儿童票 半价 | half_price
身份证 证件 护照 | id identity passport
二维码 扫码 验票 | qr_code scan
公众号 小程序 | app
爽约 没去 没来 失约 | no-show missed not_come
年卡 月卡 | annual_pass pass
上限 限制 限额 最多能 | limit cap
汇率 换汇 外汇 | exchange_rate currency_exchange
利率 利息 年化 | interest rate
还款 还贷 提前还 | repay repayment pay_off
违约金 罚金 罚款 罚 | penalty fine
挂失 冻结 | freeze block report_lost
补卡 换卡 新卡 | replacement_card new_card
取款 取钱 取现 ATM | withdraw withdrawal atm cash_machine
跨行 他行 别的银行 | other_bank another_bank
境外 国外 海外 外国 | abroad overseas foreign
年费 | annual_fee yearly_fee
开户行 开户银行 | bank
短信 | text_message sms text
诈骗 骗子 骗局 假冒 冒充 | fraud scam fake
登录不了 登不上 锁定 锁住 被锁 | locked lock_out locked_out
重置 忘记密码 找回 | reset forgot
忘记 忘了 不记得 记不得 记不起 想不起 | forgotten forgot forget don_t_remember can_t_remember cannot_remember couldn_t_remember
设备 手机 终端 | device devices phone
同时 同时在线 同时登录 | simultaneously at_the_same_time signed_in
年龄 周岁 岁数 多大年纪 | age old years_old minimum_age
报警 警察 | police
仓库 发货地 | warehouse
库存 有货 现货 缺货 断货 | stock in_stock available out_of_stock
到货通知 补货 | restock back_in_stock
预售 预订 | pre-order presale
尾款 余款 | balance
赠品 礼物 赠送 送的 | gift free_gift
包装 礼品包装 包起来 | wrap wrapping packaging
贺卡 卡片 | card greeting
样品 小样 布样 | sample swatch swatches
定制 定做 裁剪 量身 量尺 按尺寸 | custom made_to_measure cut_to_measure tailor
长度 多长 长 | length long
宽度 多宽 宽 | width wide
厚度 多厚 厚 | thickness thick
直径 口径 | diameter
温度 多少度 度数 | temperature degrees
时长 续航 能用多久 | running_time runtime battery_life lasts
亮度 流明 多亮 | brightness lumens bright
色温 | colour_temperature
档 档位 模式 | mode level setting
童锁 儿童锁 | child_lock
水垢 除垢 结垢 | limescale descale descaling
柠檬酸 白醋 醋 | citric_acid vinegar
洗碗机 | dishwasher
微波炉 | microwave
烘干 甩干 烘干机 | dryer tumble_dryer
熨 熨烫 | iron ironing
漂白 | bleach
机洗 洗衣机 | machine_wash washing_machine
缩水 | shrink shrinkage
褪色 掉色 | fade fading
阻燃 防火 | flame flame_retardant fireproof
防水 | waterproof
甲醛 气味 味道 | formaldehyde smell
海拔 高原 | altitude
牛奶 茶 咖啡 | milk tea coffee
精油 香薰 | essential_oil
滤芯 滤网 | filter
滚刷 刷头 | roller brush
尘杯 集尘 | dust_cup bin
地毯 | carpet
地板 硬地面 | floor hard_floor
灰尘 石膏 灰 | dust ash plaster
堵塞 卡住 堵住 | clogged blocked jammed stuck
过热 太热 发烫 | overheat overheating too_hot
风扇 | fan
风口 散热 通风 | vent vents
镜头 | lens
对焦 聚焦 | focus autofocus
吊装 吊顶 | ceiling_mount
电源 插头 插座 | power plug socket
电压 伏 | voltage volts
充电宝 移动电源 | power_bank
太阳能 | solar
插不上 接口 端口 | port connector interface
固件 版本 软件版本 | firmware version
降级 回退 旧版本 | downgrade older_version
备份 恢复 还原 | backup restore
操作系统 系统要求 | operating_system requirements
内存 硬盘 磁盘 空间 | memory disk space storage
服务器 | server
许可证 授权 | licence license
加密 密文 | encryption encrypt cipher
联网 上传数据 回传 | phone_home connection telemetry
网络驱动器 网络盘 | network_drive
间隔 频率 多久一次 | interval how_often
默认 缺省 | default
错误码 退出码 | exit_code error_code
命令 指令行 | command
客服邮箱 技术支持 | support
回复 答复 回信 | answer reply respond response
工单 申请 提交 | request submit ticket
审核 审批 批准 | approve approval review
拒绝 不通过 被拒 驳回 | refuse refused reject rejected decline
证明 凭证 收据 小票 | proof receipt evidence
截图 照片 视频 | photo screenshot video
签名 签字 | signature sign
监护人 家长 父母 | parent guardian
成年 未成年 未满 | adult minor under
物业 物业费 管理费 | property_fee management_fee
装修 施工 动工 | renovation decorate construction
承重墙 拆墙 | load-bearing_wall wall
楼道 走廊 | corridor hallway
电梯 | lift elevator
车库 地下车位 | garage
水管 漏水 爆了 水电故障 | leak pipe burst
停电 断电 | power_cut blackout
上门 派人 来人 | on-site visit come
噪音 吵闹 扰民 | noise
搬家 搬运 搬入 | move moving
楼梯 上楼 几楼 | stairs floor
摊位 小贩 | stall vendor
夜市 | night_market
地址写错 改地址 修改地址 改派 写错地址 填错地址 地址填错 地址错了 换地址 | change_address address_change redirect wrong_address typed_the_wrong_address wrong_house_number address_is_wrong different_address
追踪 查件 查询物流 物流信息 轨迹 | track tracking trace
签收 已签收 显示送达 | delivered delivery_photo
代收点 自提点 快递柜 驿站 | pick-up_point locker
投递 派件 送几次 配送次数 | attempt tries delivery_attempt
不可抗力 自然灾害 | force_majeure
易碎 玻璃 灯罩 | glass fragile shade lampshade
运输破损 途中损坏 碎了 | damage_in_transit broken_in_transit
开箱 验货 当面 | open inspect
海运 空运 航空 陆运 | air sea road fly
锂电池 带电 | lithium battery
清关 报关 海关 | customs clearance
申报 货值 低报 | declare declared_value
礼品申报 | mark_as_gift
邮政信箱 | po_box
转运 | forwarding
首重 首公斤 | first_kg first_kilo
续重 每多一公斤 | extra_kg each_extra additional_kg
体积重 | volume_weight
免税 含税 | duty_paid
税率 增值税 | vat tax
抬头 公司名 | title company_name
纳税人识别号 税号 | taxpayer_number vat_number tax_number
作废 红冲 | cancel credit_note red-letter
打印件 盖章 纸质件 | stamped printout paper
企业 公司 单位 | company business firm corporate
个人 私人 | person private individual
学生证 学生优惠 | student_discount student
生日 | birthday
等级 级别 升级 升到 铂金 金卡 | tier level
门槛 需要消费 达到 | threshold spend requirement
保级 降级 掉级 | keep drop
退出 退会 离开 | leave close quit
重新加入 再加入 | rejoin
合并 家庭 夫妻 老公 老婆 | household family wife husband link
负数 欠 负分 | negative below_zero
差额 补差 退差价 补回 | difference credit price_protection
滥用 倒卖 | abuse resell
限时抢购 秒杀 | flash_sale
清仓 最后一件 | clearance last_piece
直播间 拼团 | live-stream group-buy
平台 其他平台 别家 京东 淘宝 拼多多 天猫 | other_shop another_shop amazon competitor
满减 活动 促销 大促 | promotion sale offer
双十一 双11 | double_eleven singles_day
联系 联系上 找到人 打通 接通 找人 接电话 | contact reach talk speak get_through get_hold_of
包裹不动 没有更新 停滞 | not_moved hasn't_moved stands_still nothing_changes stuck
包裹 快件 邮包 | parcel package
额外 另外 另收 | extra additional further
结束 截止 终止 截至 最晚 | end ends finish finishes cut_off cut-off deadline latest
晚上 夜间 夜场 夜里 | evening night nights
提高 提升 增加 调高 | raise increase increased
受伤 急救 救护 | injured injury hurt first_aid ambulance
断网 网断 上不了网 报障 没网 | outage no_internet
超重 超出 过重 | overweight excess_weight
教练 老师 教师 | teacher instructor coach teaches teach trainer taught
温暖 热度 摄氏度 | temperature warm hot °c
摩托车 机车 | motorcycle motorbike
暂停 冻结 停一段时间 停卡 停机 停课 先停 | freeze frozen pause suspend put_on_hold on_hold
终止合同 解约 提前终止 退租 退学 搬离 | terminate leave quit notice end_the_contract ending_the_contract move_out cancel_the_contract
账单 诊费单 | bill invoice
旅行 旅游 出游 | travel trip journey
房屋 房子 出租房 住房 | house flat home
儿童 青少年 | child teenager
携号转网 转入 转过来 转网 携号 | port_number switch_provider
创办 创立 成立 创建 始建 建立 创始人 | founded established set_up founder founding
拥有 老板 所有者 业主 | owner owns owned
赶上 来得及 | in_time catch
身高 个子 | height tall
宽频 宽带 | broadband
超过流量 流量超了 套餐外 | over_allowance
出租 租借 | hire rent
雪板 雪具 滑雪板 | skis ski_equipment snowboard
电影 影片 | film movie
影院 电影院 放映厅 | cinema movie_theatre
音乐 放歌 唱歌 音响 | music songs
生火 明火 篝火 烧烤 炭火 | fire campfire bonfire barbecue grill charcoal
生病 疾病 患病 得病 | illness sick disease ill
既往症 投保前 原有 | pre-existing existed existing_condition before_the_policy before_i_joined
名称 姓名 名字 户名 | name
相同 一样 一致 同样 | same identical match
不同 不一样 不一致 | different differ
冷静期 犹豫期 等待期 | cooling-off cooling_off waiting_period waiting_time
评定 重新计算 核算 | recalculated reviewed evaluated assessed worked_out calculated
达到 升到 成为 升级到 | become reach reaching
消费 花费 花 怎么用 有什么用 能干什么 | spend spent spending redeem
获得 得到 怎么得 怎么来 怎么攒 怎么赚 攒 赚 | earn earning collect collecting
招聘 招人 招工 应聘 求职 | hiring vacancies vacancy recruiting job_openings careers
卫生间 厕所 洗手间 | toilet toilets restroom
未取 不取 没取 不去拿 不来取 没去取 | not_collected uncollected not_picked_up don_t_collect
入内 进入 进店 进场 入场 进馆 入馆 进门 | enter entry admitted come_in get_in
最后一场 末场 末班 最晚一场 最晚一班 最后一班 | last_screening last_show last_bus last_train
第一场 首场 头班 首班 | first_screening first_show first_bus first_train
视为 算作 当作 | counts_as treated_as considered regarded
热食 熟食 外卖 外带食物 自带食物 | hot_food takeaway own_food
每天 每日 天天 | daily every_day
每周 每星期 | weekly every_week
每月 每个月 | monthly every_month
每年 每个自然年 一年 | yearly annually every_year
立即 马上 立刻 当场 | immediately right_away at_once instantly
不喜欢 不满意 不合适 个人原因 无理由 | don_t_like dislike not_satisfied changed_my_mind change_of_mind personal_reasons
发错 寄错 错发 收错 | wrong_item wrong_product sent_the_wrong
少发 漏发 缺件 少件 | missing_item item_missing incomplete
来回 往返 双程 | both_ways round_trip there_and_back
由我们承担 我们承担 商家承担 卖家承担 | we_pay at_our_cost our_expense
自行承担 自己承担 顾客承担 自付 | at_your_cost your_expense you_pay
失败 未成功 不成功 付不了 交不上 | fail failed declined bounced unsuccessful
监控 摄像头 摄像机 录像 | camera cctv surveillance footage recording filmed
前台 服务台 接待处 | reception front_desk information_desk
演出 音乐会 演奏会 | concert recital performance
体验课 试听课 试听 试课 体验 | trial trial_lesson taster try_it_first
兄弟姐妹 二孩 第二个孩子 | sibling second_child brother sister
新客户 新用户 新顾客 新会员 | new_customer newcomer new_member
年付 按年付 | annual_payment annual_billing pay_yearly paying_yearly pay_annually
病假条 医生证明 | doctor_s_note sick_note doctor_s_certificate medical_certificate
发薪日 发工资 发薪 | payday pay_day
导入 上传 | import upload
游泳 泳池 入池 | swim swimming pool
吞卡 吞了 被吞 | swallowed retained swallow ate_my_card keeps_your_card kept_my_card
盗刷 不明扣款 陌生扣款 不是我刷的 不是我买的 不认识的扣款 | do_not_recognise not_recognised don_t_recognise did_not_make didn_t_make unauthorised unauthorized fraudulent
新手 初学 初学者 零基础 没学过 没练过 没做过 入门 | beginner introduction introductory novice never_done_it never_done_this
排队 等候 等位 | wait waiting queue
空腹 不吃饭 不能吃 | fasting empty_stomach
开启 启用 | turn_on switch_on enable activate set_up setup
`;
